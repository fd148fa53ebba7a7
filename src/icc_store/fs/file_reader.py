"""Reading regular files that others may be changing at the same time.

A name is opened without following a symbolic link and without waiting: a FIFO put in the file's place since it was
listed neither hangs the run nor is read. Access times are left alone where the system allows that.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from icc_store.fs.metadata import open_xattrs

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class FileReader:
    """Opens and reads files."""

    def __init__(self) -> None:
        self._flags = _FLAGS | os.O_NOATIME

    def open(self, dir_fd: int, name: bytes) -> int:
        """A descriptor of the regular file `name`. Raises OSError, also when it is something else by now."""
        fd = self._open(dir_fd, name)
        try:
            require_regular(os.fstat(fd), name)
        except OSError:
            os.close(fd)
            raise
        return fd

    def read_small(self, dir_fd: int, name: bytes, size: int) -> tuple[bytes, os.stat_result, dict[bytes, bytes]]:
        """Contents, status after reading and extended attributes of a file that had `size` bytes.

        At most one byte more than `size` is read: a caller that finds the status changed (`unchanged`) reads anew.
        Raises OSError as `open` does.
        """
        fd = self._open(dir_fd, name)
        try:
            data = os.pread(fd, size + 1, 0)  # a FIFO refuses this, where read would take bytes out of it
            if len(data) < size:
                data = _read_on(fd, data, size)
            attributes = open_xattrs(fd)
            status = os.fstat(fd)
        finally:
            os.close(fd)
        require_regular(status, name)
        return data, status, attributes

    def read_plain(self, dir_fd: int, name: bytes, size: int) -> bytes:
        """What a file that should have `size` bytes has, one byte more at most. Raises OSError."""
        fd = self._open(dir_fd, name)
        try:
            return os.pread(fd, size + 1, 0)  # as above
        finally:
            os.close(fd)

    def _open(self, dir_fd: int, name: bytes) -> int:
        try:
            return os.open(name, self._flags, dir_fd=dir_fd)
        except PermissionError as error:
            # O_NOATIME is for the owner and root. One refusal and it is given up, so that a tree of somebody else's
            # files costs one failed call and not one a file.
            if error.errno != errno.EPERM or self._flags == _FLAGS:
                raise
            self._flags = _FLAGS
            return os.open(name, self._flags, dir_fd=dir_fd)


def _read_on(fd: int, data: bytes, size: int) -> bytes:
    """What follows a short read: nothing where the file shrank, more on some network and FUSE file systems."""
    pieces = [data]
    got = len(data)
    while got < size and (piece := os.pread(fd, size - got, got)):
        pieces.append(piece)
        got += len(piece)
    return b"".join(pieces)


def require_regular(status: os.stat_result, name: bytes) -> None:
    """Raise OSError unless the status is that of a regular file."""
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.ESTALE, "is no longer a regular file", name)


def unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    """Whether two statuses are of the same file, not written to in between."""
    return (
        before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
        and before.st_ino == after.st_ino
    )


def is_sparse(status: os.stat_result) -> bool:
    """Whether the file takes less room than its size, so that it may have holes."""
    return status.st_blocks * 512 < status.st_size


def data_extents(fd: int, size: int) -> Iterator[tuple[int, int]]:
    """Offset and length of what is not a hole in the first `size` bytes, in order.

    Moves the descriptor's position, so read with os.pread. Where the file system cannot tell, it is one extent.
    """
    offset = 0
    while offset < size:
        try:
            start = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here to the end
                return
            yield offset, size - offset
            return
        end = min(os.lseek(fd, start, os.SEEK_HOLE), size)
        if start >= size:
            return
        yield start, end - start
        offset = end
