"""A directory that only its owner can look into, under a name nobody can guess, which is always removed.

Its owner holds a lock on it. One that is left behind by a process that was killed is not locked any more, and is
removed by the next that makes one in the same place.
"""

from __future__ import annotations

import fcntl
import os
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import DiskFull
from icc_store.fs.removal import remove
from icc_store.fs.temporary import open_place

_PREFIX = b"icc-store-private-"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_HELD_BACK = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_ABANDONED_NS = 3_600_000_000_000
"""A directory without a lock may have been made just now, its lock being the next thing. Not an hour ago."""


@contextmanager
def private_directory(place: Path, size: int, *, clock: Clock = SYSTEM_CLOCK) -> Iterator[Path]:
    """A new directory in `place`, which is made when it is missing; gone when the body is left.

    Raises DiskFull when there is no room for `size` bytes, TargetError when `place` is not this user's alone.
    """
    parent = _open(place, size)
    name = _PREFIX + os.urandom(16).hex().encode()
    lock = -1
    try:
        _remove_abandoned(parent, clock.now_ns())
        os.mkdir(name, 0o700, dir_fd=parent)
        lock = os.open(name, _DIRECTORY, dir_fd=parent)
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield place / os.fsdecode(name)
    finally:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)  # a second Ctrl-C must not stop the removal
        try:
            remove(parent, name)
        finally:
            if lock >= 0:
                os.close(lock)
            os.close(parent)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _open(place: Path, size: int) -> int:
    descriptor = open_place(place)
    status = os.fstatvfs(descriptor)
    room = status.f_bavail * status.f_frsize
    if room < size:
        os.close(descriptor)
        raise DiskFull(
            f"{place} has room for {room:,} bytes, and {size:,} are needed for a while",
            hint="name a place on another disk by --temp-directory",
        )
    return descriptor


def _remove_abandoned(parent: int, now_ns: int) -> None:
    """Remove what killed processes of this user have left here."""
    for name in map(os.fsencode, os.listdir(parent)):
        if name.startswith(_PREFIX):
            with suppress(OSError):  # what cannot be removed now is left to the next time
                status = os.stat(name, dir_fd=parent, follow_symlinks=False)
                ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
                if ours and now_ns - status.st_mtime_ns > _ABANDONED_NS:
                    _remove_unlocked(parent, name)


def _remove_unlocked(parent: int, name: bytes) -> None:
    descriptor = os.open(name, _DIRECTORY, dir_fd=parent)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises where a living process holds it
        remove(parent, name)
    finally:
        os.close(descriptor)
