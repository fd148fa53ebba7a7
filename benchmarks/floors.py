"""The least that a backup can cost: the same work without storing, comparing or checking anything."""

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import blake3
import zstandard

BLOCK = 1 << 20
LEVEL = 3


def walk_scandir(root: Path) -> None:
    """Visit every entry with its status, by path."""
    pending = [os.fspath(root)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)


def walk_descriptors(root: Path) -> None:
    """Visit every entry with its status, relative to directory descriptors."""
    for _ in _files(root):
        pass


def read_all(root: Path) -> None:
    """Read every file."""
    for _ in _contents(root):
        pass


def read_and_hash(root: Path) -> None:
    """Read every file and hash it with BLAKE3."""
    for data in _contents(root):
        blake3.blake3(data).digest()


def read_hash_compress(root: Path, *, threads: int = 1) -> None:
    """Read and hash every file, and compress all in blocks with zstd, in `threads` threads beside the reader."""
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(_compress, block) for block in _blocks(root)]:
            done.result()


def create_all(root: Path, target: Path) -> None:
    """Write every file below the missing directory `target`, with its times."""
    for directory, _, files in os.walk(root):
        folder = os.path.normpath(os.path.join(target, os.path.relpath(directory, root)))
        os.mkdir(folder)
        for name in files:
            _copy(f"{directory}/{name}", f"{folder}/{name}")


def _files(root: Path) -> Iterator[tuple[int, str]]:
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


def _contents(root: Path) -> Iterator[bytes]:
    for directory, name in _files(root):
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory)
        try:
            yield os.read(descriptor, os.fstat(descriptor).st_size)
        finally:
            os.close(descriptor)


def _blocks(root: Path) -> Iterator[bytes]:
    gathered: list[bytes] = []
    size = 0
    for data in _contents(root):
        blake3.blake3(data).digest()
        gathered.append(data)
        size += len(data)
        if size >= BLOCK:
            yield b"".join(gathered)
            gathered, size = [], 0
    yield b"".join(gathered)


def _compress(block: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL).compress(block)


def _copy(source: str, target: str) -> None:
    with open(source, "rb", buffering=0) as file:
        status, data = os.fstat(file.fileno()), file.read()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        os.write(descriptor, data)
        os.utime(descriptor, ns=(status.st_atime_ns, status.st_mtime_ns))
    finally:
        os.close(descriptor)
