"""A way down into a tree, directory by directory, that no symbolic link and no depth can lead astray.

Every directory is opened relative to the one above it and never through a symbolic link. Of a deep way only the last
directories stay open; on the way back the others are opened again as `..` of the one below, and must be the very
directory that was left (same device and inode): a tree that is moved meanwhile ends the walk, it does not redirect it.
"""

from __future__ import annotations

import errno
import os

from icc_store.limits import MAX_OPEN_DIRECTORIES

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BELOW = _DIRECTORY | os.O_NOFOLLOW


_OWNER_ALL = 0o700


class DirectoryStack:
    """The directories from a root, whose descriptor stays the caller's, to the current one."""

    def __init__(self, root_fd: int) -> None:
        self.fd = root_fd
        """Descriptor of the current directory."""
        self._fds = [root_fd]
        self._identities = [_identity(os.fstat(root_fd))]
        self._first_open = 1
        self._lost: OSError | None = None
        """Why there is no way back any more."""

    @property
    def depth(self) -> int:
        """Directories below the root; 0 in the root itself."""
        return len(self._fds) - 1

    def descend(self, name: bytes, *, unlock: bool = False) -> os.stat_result:
        """Go into `name`; returns its status as found. Raises OSError (ELOOP, ENOTDIR) when it is not a directory.

        With `unlock`, a directory of our own that we may not read, write or enter is made so first.
        """
        parent = self.fd
        try:
            fd = os.open(name, _BELOW, dir_fd=parent)
        except PermissionError:
            if not unlock:
                raise
            status = _unlock(parent, name)
            fd = os.open(name, _BELOW, dir_fd=parent)
        else:
            status = os.fstat(fd)
            if unlock:
                unlock_directory(fd, status)
        self._fds.append(fd)
        self._identities.append(_identity(status))
        self.fd = fd
        if len(self._fds) - self._first_open > MAX_OPEN_DIRECTORIES:
            os.close(self._fds[self._first_open])
            self._fds[self._first_open] = -1
            self._first_open += 1
        return status

    def ascend(self) -> int:
        """Go back up; returns the descriptor of the directory left, which the caller closes.

        Raises OSError (ESTALE) when that directory is no longer where it was entered, and stays in it. From then on
        every way up is refused: whoever goes on as if he had gone up would work in the wrong directory.
        """
        if self._lost is not None:
            raise self._lost
        child, parent = self._fds[-1], self._fds[-2]
        if parent < 0:
            try:
                parent = self._reopened(child)
            except OSError as error:
                self._lost = error
                raise
            self._fds[-2] = parent
            self._first_open -= 1
        self._fds.pop()
        self._identities.pop()
        self.fd = parent
        return child

    def _reopened(self, child: int) -> int:
        """The directory above an open one, which must be the one that was left."""
        parent = os.open(b"..", _DIRECTORY, dir_fd=child)
        if _identity(os.fstat(parent)) != self._identities[-2]:
            os.close(parent)
            raise OSError(errno.ESTALE, "the directory was moved while it was worked on")
        return parent

    def close(self) -> None:
        """Close every directory but the root."""
        for fd in self._fds[self._first_open :]:
            os.close(fd)
        del self._fds[1:], self._identities[1:]
        self._first_open = 1
        self.fd = self._fds[0]


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def unlock_directory(fd: int, status: os.stat_result) -> None:
    """Give its owner, where that is us and not root, all rights to an open directory that has this status.

    Where the system refuses, what needed the rights will say so.
    """
    if status.st_mode & _OWNER_ALL != _OWNER_ALL and status.st_uid == os.geteuid() != 0:
        try:
            os.fchmod(fd, status.st_mode & 0o7777 | _OWNER_ALL)
        except PermissionError:
            pass


def _unlock(parent: int, name: bytes) -> os.stat_result:
    """Give its owner all rights to a directory that cannot even be opened. O_PATH needs none to it."""
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        status = os.fstat(fd)
        os.chmod(f"/proc/self/fd/{fd}", status.st_mode & 0o7777 | _OWNER_ALL)
        return status
    finally:
        os.close(fd)
