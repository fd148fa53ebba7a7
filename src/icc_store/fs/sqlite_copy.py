"""Copies one live SQLite database. Runs as a child process, which is why it imports nothing of ours.

    sqlite_copy.py DIRECTORY_FD NAME_IN_HEX DESTINATION

Exit status 0: copied; 3: nobody uses the database any more and nothing was opened; 1: the reason is on stderr.

First it takes the lock that every reader of a SQLite file takes. While it is held the last user cannot fold the log
into the database and remove the companions, so those that are there stay, and opening the database makes no new ones.
The lock belongs to the process: SQLite, which takes the same lock, gets along with it, and closing the file early
would drop SQLite's own.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

PENDING = 0x40000000
_SHARED = PENDING + 2
_SHARED_SIZE = 510
LOCK_BYTES = 2 + _SHARED_SIZE
"""All lock bytes of the main file, from PENDING on."""

NO_LONGER_IN_USE = 3

_WRITE_VERSION = 18
_WAL = b"\2"
_POLL = 0.01


def copy(name: bytes, destination: str) -> int:
    """Copy the database `name` in the current directory; returns the exit status. Whoever started us limits the time.

    Raises OSError and sqlite3.Error.
    """
    # Here, since the program that starts this one reads constants from it and has no use for SQLite.
    import sqlite3

    main = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    while not _lock_shared(main):
        time.sleep(_POLL)
    is_wal = os.pread(main, 1, _WRITE_VERSION) == _WAL
    if is_wal and not (os.path.lexists(name + b"-wal") and os.path.lexists(name + b"-shm")):
        return NO_LONGER_IN_USE
    quoted = "".join(f"%{byte:02x}" for byte in name)
    source = sqlite3.connect(f"file:{quoted}?mode=ro", uri=True)
    result = sqlite3.connect(destination)
    result.execute("PRAGMA journal_mode=OFF")
    result.execute("PRAGMA synchronous=OFF")
    source.backup(result, pages=-1)
    result.close()
    source.close()
    os.close(main)
    return 0


def _lock_shared(fd: int) -> bool:
    """SQLite's way to a shared lock: through the pending byte, with which a waiting writer keeps new readers out."""
    try:
        fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, PENDING)
        fcntl.lockf(fd, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED)
        return True
    except BlockingIOError:
        return False
    finally:
        fcntl.lockf(fd, fcntl.LOCK_UN, 1, PENDING)


def main(arguments: list[str]) -> int:
    import sqlite3  # here for the same reason

    directory_fd, name, destination = arguments
    os.fchdir(int(directory_fd))
    try:
        return copy(bytes.fromhex(name), destination)
    except (OSError, sqlite3.Error) as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
