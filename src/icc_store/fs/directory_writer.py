"""Writing names in one directory, through its descriptor.

A file is written under a temporary name and renamed when it is complete, so a name holds the old file or the new one.
In a directory that the restore has made itself there is nothing old: a file is made there under its own name, without
any rights until it is complete, which spares the kernel a third of its work (ADR 26).
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from icc_store.fs.leftovers import hold
from icc_store.fs.metadata_writer import MetadataWriter, device_number
from icc_store.model.entry import Entry
from icc_store.model.tree import Owners

TEMPORARY = re.compile(rb"\.icc-restore-[0-9a-f]{16}")
"""The names of unfinished files: what a killed restore leaves behind, one at most of each of its processes."""

LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NOT_NAMES = frozenset((b"", b".", b".."))
_NO_RIGHTS = 0
"""The mode of an unfinished file that has its own name already: nobody reads it by mistake for what it will be."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all directories of one restore share."""

    metadata: MetadataWriter
    umask: int
    temporary: bytes
    """The name of an unfinished file, in whatever directory."""


def make_tools(umask: int, *, numeric_ids: bool) -> Tools:
    """Tools of one process, with a temporary name that no other one has."""
    return Tools(MetadataWriter(numeric_ids=numeric_ids), umask, f".icc-restore-{os.urandom(8).hex()}".encode())


@dataclass(frozen=True, slots=True)
class Nature:
    """What is to be known of a directory before anything is written in it."""

    made: bool = False
    """By this restore, so that it is to be given a mode."""
    hands_down_acl: bool = False
    """It has a default ACL, so new files in it are not bare."""
    direct: bool = False
    """Made by this restore, where modes mean something: new files get their own names at once."""


class DirectoryWriter:
    """Writes in one directory. Its descriptor stays the caller's. Every OSError is about the one name given."""

    def __init__(self, fd: int, nature: Nature, tools: Tools) -> None:
        self.fd = fd
        self.nature = nature
        self._tools = tools
        self._metadata = tools.metadata
        self._new_owner: tuple[int, int] | None = None
        """Whom new files belong to here, once one was made."""
        self._held = False
        """Others were told that a temporary name may be in it."""

    def stand_at(self, fd: int) -> None:
        """The same directory, through another descriptor perhaps."""
        self.fd, self._held = fd, False

    def _temporary(self) -> bytes:
        """The name of what is unfinished, once others were told of it."""
        if not self._held:
            hold(self.fd)
            self._held = True
        return self._tools.temporary

    def write_file(self, entry: Entry, owners: Owners, content: Iterable[bytes | int]) -> int:
        """Write a regular file; whatever had its name, but a directory, is replaced. Returns its size.

        `content` yields bytes, and numbers for holes of that many bytes. What it raises passes through.
        """
        name = entry.name
        check_name(name)
        if self.nature.direct and not entry.xattrs:  # attributes are written to like contents, which takes rights
            try:
                return self._fill(name, _NO_RIGHTS, entry, owners, content)
            except FileExistsError:
                pass  # somebody else has put something there
        temporary = self._temporary()
        size = self._fill(temporary, 0o600, entry, owners, content)
        try:
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:  # Ctrl-C too must leave no half file
            self.discard(temporary)
            raise
        return size

    def _fill(self, name: bytes, mode: int, entry: Entry, owners: Owners, content: Iterable[bytes | int]) -> int:
        """Make a file of this name and of all that its entry says. Returns its size."""
        # Flat, since a restore calls this for every file.
        directory, nature = self.fd, self.nature
        try:
            fd = os.open(name, _CREATE, mode, dir_fd=directory)
            try:
                size = 0
                hole = False
                for piece in content:
                    if isinstance(piece, int):
                        hole = True
                        size += piece
                        os.lseek(fd, size, os.SEEK_SET)
                        continue
                    hole = False
                    written = os.write(fd, piece)
                    size += written
                    if written < len(piece):
                        size += _write_rest(fd, piece, written)
                if hole:
                    os.ftruncate(fd, size)
                owner = self._new_owner
                if owner is None:
                    status = os.fstat(fd)
                    owner = self._new_owner = (status.st_uid, status.st_gid)
                bare = not nature.hands_down_acl
                now = mode & ~self._tools.umask if bare else -1
                self._metadata.apply(fd, entry, owners, owner=owner, mode=now, mtime_ns=None, bare=bare)
            finally:
                os.close(fd)
        except FileExistsError:
            raise
        except BaseException:  # Ctrl-C too must leave no half file
            self.discard(name)
            raise
        return size

    def symlink(self, entry: Entry, owners: Owners) -> None:
        """Make a symbolic link; whatever had its name, but a directory, is replaced."""
        target = entry.target
        if target is None:
            raise OSError(errno.EINVAL, "the entry of a symbolic link has no target", entry.name)
        self._make(entry, owners, lambda name, fd: os.symlink(target, name, dir_fd=fd))

    def special(self, entry: Entry, owners: Owners) -> None:
        """Make a FIFO or device node; whatever had its name, but a directory, is replaced.

        Raises PermissionError for a device node when the system leaves those to root, OSError for a socket.
        """
        kind = stat.S_IFMT(entry.mode)
        if kind == stat.S_IFIFO:
            number = 0
        elif kind in {stat.S_IFCHR, stat.S_IFBLK} and entry.device is not None:
            number = device_number(entry)
        else:
            raise OSError(errno.ENOTSUP, "cannot be made by a restore", entry.name)
        self._make(entry, owners, lambda name, fd: os.mknod(name, kind | 0o600, number, dir_fd=fd))

    def _make(self, entry: Entry, owners: Owners, make: Callable[[bytes, int], None]) -> None:
        """Make under the temporary name, give it what the entry says, rename."""
        check_name(entry.name)
        temporary = self._temporary()
        try:
            make(temporary, self.fd)
            self._update(temporary, entry, owners)
            os.rename(temporary, entry.name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        except BaseException:  # Ctrl-C too must leave nothing behind
            self.discard(temporary)
            raise

    def link(self, name: bytes, source: bytes, above: int) -> None:
        """Make `name` a hard link to the file `source` of the directory open at `above`; what had it is replaced."""
        check_name(name)
        check_name(source)
        try:
            os.link(source, name, src_dir_fd=above, dst_dir_fd=self.fd, follow_symlinks=False)
            return
        except FileExistsError:
            pass
        temporary = self._temporary()
        try:
            os.link(source, temporary, src_dir_fd=above, dst_dir_fd=self.fd, follow_symlinks=False)
            os.rename(temporary, name, src_dir_fd=self.fd, dst_dir_fd=self.fd)
        finally:
            self.discard(temporary)  # between two names of one file rename does nothing

    def update(self, entry: Entry, owners: Owners) -> bool:
        """Give a file whose contents are right the metadata of its entry.

        Says False, and does nothing, where the file has several names or is of another type: some names of it may be
        outside of the target. Write it anew then.
        """
        check_name(entry.name)
        return self._update(entry.name, entry, owners)

    def _update(self, name: bytes, entry: Entry, owners: Owners) -> bool:
        """Metadata for what is there and cannot be opened as a file: O_PATH holds on to it without opening it."""
        fd = os.open(name, LOOK, dir_fd=self.fd)
        try:
            now = os.fstat(fd)
            if stat.S_IFMT(now.st_mode) != stat.S_IFMT(entry.mode) or now.st_nlink != 1:
                return False
            target = b"/proc/self/fd/%d" % fd
            mode = now.st_mode
            if entry.xattrs and not mode & stat.S_IWUSR:  # user attributes are written to, like contents
                mode |= stat.S_IWUSR
                os.chmod(target, stat.S_IMODE(mode))
            self._apply(target, entry, owners, now, mode, bare=False)
            return True
        finally:
            os.close(fd)

    def settle(self, entry: Entry | None, owners: Owners, found: os.stat_result | None) -> None:
        """Give the directory itself what `entry` says.

        Without an entry one that was `found` with a status keeps its mode, and one made here gets the usual one.
        """
        now = os.fstat(self.fd)
        if entry is not None:
            bare = self.nature.made and not self.nature.hands_down_acl
            self._apply(self.fd, entry, owners, now, now.st_mode, bare=bare)
        elif self.nature.made:
            os.fchmod(self.fd, 0o777 & ~self._tools.umask)
        elif found is not None and now.st_mode != found.st_mode:
            os.fchmod(self.fd, stat.S_IMODE(found.st_mode))

    def _apply(
        self, target: int | bytes, entry: Entry, owners: Owners, now: os.stat_result, mode: int, *, bare: bool
    ) -> None:
        owner = (now.st_uid, now.st_gid)
        self._metadata.apply(target, entry, owners, owner=owner, mode=mode, mtime_ns=now.st_mtime_ns, bare=bare)

    def discard(self, name: bytes) -> None:
        """Remove an unfinished file, where there is one."""
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            pass


def check_name(name: bytes) -> None:
    """Refuse what is not one name: the last guard between a hostile snapshot and the rest of the disk."""
    if b"/" in name or name in _NOT_NAMES:
        raise OSError(errno.EINVAL, "is not a file name", name)


def _write_rest(fd: int, piece: bytes, written: int) -> int:
    rest = memoryview(piece)[written:]
    total = len(rest)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return total
