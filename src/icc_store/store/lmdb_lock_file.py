"""The file in which LMDB keeps its readers, with all of its bytes on the disk before LMDB maps them.

LMDB makes it as a hole and writes through a memory map. On a full disk such a write ends the process with SIGBUS, and
nobody can say why. Asked for beforehand, the room is there, or is missing with an error.
"""

from __future__ import annotations

import os
from pathlib import Path

from icc_store.limits import MAX_READERS

LOCK_NAME = "lock.mdb"
_HEAD_SIZE = 192
_READER_SIZE = 64
_SIZE = _HEAD_SIZE + (MAX_READERS - 1) * _READER_SIZE


def reserve_lock_file(directory: Path) -> None:
    """Give the lock file of the environment in `directory` its room. It must not be open in this process.

    Raises OSError when there is none.
    """
    fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        status = os.fstat(fd)
        if status.st_size < _SIZE or status.st_blocks * 512 < _SIZE:
            os.posix_fallocate(fd, 0, max(status.st_size, _SIZE))
    finally:
        os.close(fd)
