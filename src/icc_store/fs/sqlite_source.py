"""Consistent copies of SQLite databases that somebody is working with.

A database is up to four files. A commit may change the `-wal` alone, so change detection takes the files together
(`change_key`). Opening a database is never free of traces: it can make a `-wal` and `-shm`, and closing one after a
crash folds the log into the main file. So:

- Nobody holds SQLite's locks (`in_use`): the files are stored byte for byte, like any others, and are never opened.
- Somebody does: a child process copies the database through SQLite's backup API, read-only and in one step, and that
  copy is stored in place of the main file; the companions belong to it and are left out.

A commit between two looks is seen as any change of a file is: by its status before and after reading.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from pathlib import Path
from typing import IO

from icc_store.codec.hashing import fingerprint
from icc_store.fs import sqlite_copy

MAGIC = b"SQLite format 3\0"
"""How the main file begins."""

_COMPANIONS = (b"-wal", b"-journal", b"-shm")
_LOGS = _COMPANIONS[:2]
"""The shared memory file is left out of change detection: every reader writes to it."""

_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FLOCK = struct.Struct("@hhqqi4x")
"""struct flock: type, whence, start, length, pid."""

_SHM_LOCKS = (120, 9)
"""Offset and length of the lock bytes in the shared memory file; the last says that somebody has it open."""

_KEY = struct.Struct("<qqqq")


class NoLongerInUse(Exception):
    """The last user of the database has gone: store the files byte for byte."""


def is_sqlite(head: bytes) -> bool:
    """Whether a file that begins so is a SQLite database. An empty one is not."""
    return head.startswith(MAGIC)


def companions(name: bytes) -> tuple[bytes, ...]:
    """The names that SQLite may put beside the database `name`."""
    return tuple(name + suffix for suffix in _COMPANIONS)


def change_key(dir_fd: int, name: bytes, status: os.stat_result) -> int:
    """A 63-bit number that changes when the database or one of its logs does; it may stand for a file's ctime.

    `status` is that of the main file `name`.
    """
    parts = [_KEY.pack(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & (1 << 63) - 1)]
    for suffix in _LOGS:
        try:
            log = os.stat(name + suffix, dir_fd=dir_fd, follow_symlinks=False)
        except OSError:
            parts.append(b"")
        else:
            parts.append(suffix + _KEY.pack(log.st_size, log.st_mtime_ns, log.st_ctime_ns, log.st_ino & (1 << 63) - 1))
    return int.from_bytes(fingerprint(*parts)[:8], "little") >> 1


def in_use(dir_fd: int, name: bytes) -> bool:
    """Whether anybody holds one of SQLite's locks on the database `name`: true of every connection that has read
    something in WAL mode, and during transactions otherwise. Raises OSError when the file cannot be opened.

    The kernel drops a process's own locks of SQLite's kind when that process closes the file: a program that has the
    database open itself must not ask this, nor read the file in any other way, in the same process.
    """
    return user_of(dir_fd, name) is not None


def user_of(dir_fd: int, name: bytes) -> int | None:
    """The process that holds one of SQLite's locks on the database `name`, as `in_use` asks; 0 where the system does
    not say which. None: nobody does.
    """
    user = _holder(dir_fd, name, sqlite_copy.PENDING, sqlite_copy.LOCK_BYTES)
    if user is not None:
        return user
    try:
        return _holder(dir_fd, name + b"-shm", *_SHM_LOCKS)
    except OSError:  # most often not there; whoever uses it holds a lock on the main file too
        return None


def begins_like_sqlite(dir_fd: int, name: bytes) -> bool:
    """Whether the file `name` is a SQLite database by its first bytes. What cannot be read is none."""
    try:
        fd = os.open(name, _OPEN, dir_fd=dir_fd)
    except OSError:
        return False
    try:
        return is_sqlite(os.pread(fd, len(MAGIC), 0))
    except OSError:
        return False
    finally:
        os.close(fd)


def _holder(dir_fd: int, name: bytes, start: int, length: int) -> int | None:
    fd = os.open(name, _OPEN, dir_fd=dir_fd)
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, start, length, 0)
        answer = fcntl.fcntl(fd, fcntl.F_OFD_GETLK, asked)
    except OSError:  # a file system that cannot tell: taken for in use, since the backup API is always right
        return 0
    finally:
        os.close(fd)
    held, *_, pid = _FLOCK.unpack(answer)
    return None if held == fcntl.F_UNLCK else max(0, pid)


def consistent_copy(dir_fd: int, name: bytes, *, temp_dir: Path, timeout: float) -> IO[bytes]:
    """A copy of the database `name` as of one moment, as a nameless file open for reading; the caller closes it.

    `temp_dir` needs room for all of it. Raises NoLongerInUse when there is nothing to be protected from any more,
    TimeoutError after `timeout` seconds, and OSError when SQLite cannot copy it.
    """
    import subprocess  # here, since the two take 15 ms to load and few snapshots meet a database in use
    import tempfile  # likewise

    # A process of its own: the database is foreign, SQLite's locks belong to processes, and waiting can be ended.
    with tempfile.TemporaryDirectory(prefix=".icc-sqlite-", dir=temp_dir) as folder:
        copy = os.path.join(os.path.abspath(folder), "copy")
        command = [sys.executable, "-I", "-S", sqlite_copy.__file__, str(dir_fd), name.hex(), copy]
        try:
            child = subprocess.run(
                command, pass_fds=(dir_fd,), timeout=timeout, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(errno.ETIMEDOUT, f"was busy for {timeout:g} seconds", name) from None
        if child.returncode == sqlite_copy.NO_LONGER_IN_USE:
            raise NoLongerInUse
        if child.returncode != 0:
            lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
            raise OSError(errno.EIO, f"SQLite cannot copy it: {lines[-1] if lines else child.returncode}", name)
        return open(copy, "rb")
