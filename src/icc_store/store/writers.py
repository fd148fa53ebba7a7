"""Writer records: which block numbers a running snapshot may already refer to.

Each run that adds objects holds a small file under an OS lock, with the first block number it may have written. gc
leaves blocks at or above the lowest of these alone. A record whose lock is free belongs to a process that is gone.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from icc_store.limits import MAX_BLOCK_NUMBER
from icc_store.store.locks import is_held
from icc_store.store.plain_files import read_plain, require_plain_files

_RECORD_SIZE = len(f"{MAX_BLOCK_NUMBER}\n")


@contextmanager
def writer_record(directory: Path, first_block: int) -> Iterator[None]:
    """Hold a record in the body."""
    directory.mkdir(mode=0o700, exist_ok=True)  # a copy made by other tools may have left the empty directory out
    name = uuid.uuid4().hex
    path, unfinished = directory / name, directory / f".{name}"
    with _locked(directory, fcntl.LOCK_SH):
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.pwrite(descriptor, b"%d\n" % first_block, 0)
            os.rename(unfinished, path)  # only now can gc see it: never unlocked or empty
        except BaseException:  # also an interruption must not leave a lock behind
            os.close(descriptor)
            raise
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(descriptor)


def lowest_writer(directory: Path) -> int | None:
    """The lowest first block of the living writers, or None when nobody writes. Records of the dead are removed.

    Raises NotARepository where something else than records is in the directory.
    """
    require_plain_files(directory)
    lowest: int | None = None
    unfinished = []
    for path in directory.iterdir() if directory.exists() else ():
        if path.name.startswith("."):
            unfinished.append(path)
            continue
        try:
            first = _first_block(read_plain(path, _RECORD_SIZE))
            if is_held(path):
                lowest = first if lowest is None else min(lowest, first)
            else:
                path.unlink()
        except FileNotFoundError:
            continue  # its owner has just finished
    if unfinished:
        _remove_unfinished(directory, unfinished)
    return lowest


def _remove_unfinished(directory: Path, paths: list[Path]) -> None:
    """Remove what a crash left of records that were being made, unless somebody is making one now."""
    try:
        with _locked(directory, fcntl.LOCK_EX | fcntl.LOCK_NB):
            for path in paths:
                path.unlink(missing_ok=True)
    except BlockingIOError:
        pass  # the next gc will do it


@contextmanager
def _locked(directory: Path, how: int) -> Iterator[None]:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _first_block(record: bytes) -> int:
    """What a record says; 0, so that every block is left alone, where a crash left it half written."""
    try:
        return int(record)
    except ValueError:
        return 0
