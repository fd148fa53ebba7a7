"""What the file system says of a file besides its contents: owner names, extended attributes, link targets.

Everything is asked relative to a directory descriptor and never follows a symbolic link in the last place, so a path
may be of any length and nothing can be swapped in on the way. The calls for extended attributes take no directory
descriptor; `/proc/self/fd/N/name` stands in for it.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat

from icc_store.model.entry import Entry

_NO_ATTRIBUTES = frozenset((errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA))
"""The file system has none, they are not for us, or they went between listing and reading."""


class MetadataReader:
    """Makes entries; remembers the name of every owner it has met."""

    def __init__(self) -> None:
        self.users: dict[int, str] = {}
        """Names of the uids asked for, where the system knows one."""
        self.groups: dict[int, str] = {}
        self._nameless_users: set[int] = set()
        self._nameless_groups: set[int] = set()

    def user(self, uid: int) -> str | None:
        """The name of a user. A directory service is asked once per number."""
        name = self.users.get(uid)
        if name is None and uid not in self._nameless_users:
            try:
                name = self.users[uid] = pwd.getpwuid(uid).pw_name
            except KeyError:
                self._nameless_users.add(uid)
        return name

    def group(self, gid: int) -> str | None:
        """The name of a group."""
        name = self.groups.get(gid)
        if name is None and gid not in self._nameless_groups:
            try:
                name = self.groups[gid] = grp.getgrgid(gid).gr_name
            except KeyError:
                self._nameless_groups.add(gid)
        return name

    def fill_entry(self, dir_fd: int, name: bytes, status: os.stat_result, *, fd: int | None = None) -> Entry:
        """The entry of `name` in the directory `dir_fd`, without content, hard link and subtree.

        `status` is what lstat said. With an empty name the entry is that of the directory itself. Attributes are read
        from `fd`, an open descriptor of the file, where there is one: that is ten times faster.
        Raises OSError, FileNotFoundError among them when the file has gone.
        """
        mode = status.st_mode
        self.user(status.st_uid)
        self.group(status.st_gid)
        entry = Entry(name, mode, status.st_uid, status.st_gid, 0, status.st_mtime_ns)
        if stat.S_ISREG(mode):
            entry.size = status.st_size
        elif stat.S_ISLNK(mode):
            entry.target = read_link(dir_fd, name)
        else:
            entry.device = device_numbers(status)
        entry.xattrs = (open_xattrs(fd) if fd is not None else xattrs(dir_fd, name)) or None
        return entry


def xattrs(dir_fd: int, name: bytes) -> dict[bytes, bytes]:
    """Extended attributes of `name` in the directory `dir_fd`, sorted; of the directory itself for an empty name."""
    if not name:
        return open_xattrs(b"/proc/self/fd/%d" % dir_fd)  # which may be open for nothing but its path
    path = b"/proc/self/fd/%d/%b" % (dir_fd, name)
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise
    if not names:
        return {}
    return _values(path, names, follow=False)


def open_xattrs(target: int | bytes) -> dict[bytes, bytes]:
    """Extended attributes of an open file or directory, sorted by name.

    `target` is its descriptor, or the `/proc/self/fd/N` of a descriptor opened with O_PATH.
    """
    try:
        names = os.listxattr(target)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTES:
            return {}
        raise
    if not names:
        return {}
    return _values(target, names, follow=True)


def _values(target: int | bytes, names: list[str], *, follow: bool) -> dict[bytes, bytes]:
    values = {}
    for name in sorted(os.fsencode(name) for name in names):
        try:
            values[name] = os.getxattr(target, name, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _NO_ATTRIBUTES:
                raise
    return values


def read_link(dir_fd: int, name: bytes) -> bytes:
    """Where a symbolic link points, byte for byte."""
    return os.readlink(name, dir_fd=dir_fd)


def device_numbers(status: os.stat_result) -> tuple[int, int] | None:
    """Major and minor number of a device node; None for anything else."""
    if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        return os.major(status.st_rdev), os.minor(status.st_rdev)
    return None
