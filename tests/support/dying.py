"""A process that works on something in a directory and does not live to finish it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

_WORK = """
import fcntl, os, sys
from pathlib import Path
from icc_store.fs.leftovers import hold
path, alone = Path(sys.argv[1]), sys.argv[2] == "True"
directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
fcntl.flock(directory, fcntl.LOCK_EX) if alone else hold(directory)
path.write_bytes(b"half")
print("begun", flush=True)
sys.stdin.read()
"""


class Unfinished:
    """A context manager: a living process that holds the directory of `path` and has made that file."""

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        """`alone`: it holds a lock that lets nobody else hold one, as `flock DIRECTORY` does."""
        environ = os.environ | {"PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
        command = [sys.executable, "-c", _WORK, str(path), str(alone)]
        self._process = subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "begun\n"

    def kill(self) -> None:
        """End it without warning."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:
            self._process.kill()
