"""A disk that can be filled: a real small file system where one may be mounted, else a bound on the file's size.

Either way something is tested: the second gives the same error from the same system calls, only from another cause.
"""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """A directory below `path` that holds `size` bytes at most, or whose files do."""
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    if subprocess.run(command, capture_output=True, check=False).returncode == 0:
        try:
            yield path
        finally:
            subprocess.run(["umount", "-l", path], check=True)
        return
    path.rmdir()
    with bounded_files(path, size) as place:
        yield place


@contextmanager
def bounded_files(path: Path, size: int) -> Iterator[Path]:
    """A new directory; meanwhile no file that this process writes may grow beyond `size` bytes."""
    path.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield path
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
