"""Making sure that what was written is on the disk."""

from __future__ import annotations

import os


def sync_file_system(fd: int) -> None:
    """Wait until everything written to the file system of `fd` is on the disk, names and times included.

    One call for a whole restore: fsync of every file and directory would cost far more. Raises OSError when the disk
    could not take it.
    """
    # Here, since ctypes is slow to load and only a restore needs it.
    import ctypes

    try:
        syncfs = ctypes.CDLL(None, use_errno=True).syncfs
    except (AttributeError, OSError):  # a C library without it; sync waits for all file systems
        os.sync()
        return
    if syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
