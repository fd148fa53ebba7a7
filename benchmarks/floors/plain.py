"""The floors in Python, for where there is no C compiler: `python -m benchmarks.floors.plain STEP ROOT [TARGET]`.

Steps and output are those of floor.c; a plain Python program can do no better than these loops.
"""

import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import zstandard

BLOCK = 1 << 20
LEVEL = 3


def walk(root: Path) -> None:
    """Visit every entry with its status."""
    for _ in files(root):
        pass


def read(root: Path) -> None:
    """Read every file."""
    for _ in pieces(root):
        pass


def compress(root: Path) -> None:
    """Read every file and compress all in blocks."""
    compressor = zstandard.ZstdCompressor(level=LEVEL)
    gathered: list[bytes] = []
    size = 0
    for data in pieces(root):
        gathered.append(data)
        size += len(data)
        if size >= BLOCK:
            compressor.compress(b"".join(gathered))
            gathered, size = [], 0
    compressor.compress(b"".join(gathered))


def create(root: Path, target: Path) -> Callable[[], None]:
    """Plan directories and files with the names, sizes and times of `root`; return what creates them in `target`."""
    folders: list[str] = []
    planned: list[tuple[str, os.stat_result]] = []
    for folder, _, names in os.walk(root):
        below = os.path.relpath(folder, root)
        folders.append(below)
        planned += [(f"{below}/{name}", os.lstat(f"{folder}/{name}")) for name in names]

    def carry_out() -> None:
        for folder in folders:
            os.mkdir(os.path.normpath(target / folder))
        for path, status in planned:
            _create(f"{target}/{path}", status)

    return carry_out


def files(root: Path) -> Iterator[tuple[int, str]]:
    """Yield directory descriptor and name of every file; a descriptor is open until the next directory."""
    pending = [os.fspath(root)]
    while pending:
        path = pending.pop()
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for name in os.listdir(descriptor):
                if stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode):
                    pending.append(f"{path}/{name}")
                else:
                    yield descriptor, name
        finally:
            os.close(descriptor)


def pieces(root: Path) -> Iterator[bytes]:
    """Yield the contents of every file, whole or in blocks."""
    for directory, name in files(root):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            while data := os.read(descriptor, BLOCK):
                yield data
                if len(data) < BLOCK:
                    break
        finally:
            os.close(descriptor)


def _create(path: str, status: os.stat_result) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IMODE(status.st_mode))
    try:
        left = status.st_size
        while left > 0:
            left -= os.write(descriptor, bytes(min(left, BLOCK)))
        os.utime(descriptor, ns=(status.st_mtime_ns, status.st_mtime_ns))
    finally:
        os.close(descriptor)


def main(step: str, root: Path, target: Path | None = None) -> None:
    """Do one step and print its wall and CPU seconds."""
    steps = {"walk": walk, "read": read, "zstd": compress}
    work = create(root, target) if target is not None else partial(steps[step], root)
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    print(f"{time.perf_counter() - wall:.6f} {time.process_time() - cpu:.6f}")


if __name__ == "__main__":
    main(sys.argv[1], *map(Path, sys.argv[2:4]))
