"""Writing a tree below a target directory, as a restore does, and nothing outside of it.

The writer stands in one directory at a time and works on names in it, through the directory's descriptor. No symbolic
link is ever followed, whatever others do to the tree meanwhile (the target's own path may be one: the user gave it).
A file is written under a temporary name and renamed when it is complete, so a name holds the old file or the new one.
New files and directories belong to us alone until they have their contents; a directory gets its mode and times when
it is left.

The caller decides what to write and what to keep; entries come with their extended attributes loaded. Every OSError
is about the one name given, and the writer can go on. Nothing is safe on the disk before `finish`.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from icc_store.errors import TargetError
from icc_store.fs import removal
from icc_store.fs.directory_stack import DirectoryStack, unlock_directory
from icc_store.fs.durability import sync_file_system
from icc_store.fs.leftovers import hold
from icc_store.fs.metadata_writer import MetadataWriter, Skipped, device_number
from icc_store.model import paths
from icc_store.model.entry import Entry
from icc_store.model.tree import Owners

TEMPORARY = re.compile(rb"\.icc-restore-[0-9a-f]{16}")
"""The names of unfinished files: what a killed restore leaves behind, one at most."""

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_DEFAULT_ACL = "system.posix_acl_default"
_NO_NAMES = Owners()
_NOT_NAMES = frozenset((b"", b".", b".."))


@dataclass(slots=True)
class _Level:
    """What is known of a directory the writer is in."""

    name: bytes
    status: os.stat_result
    """As it was found."""
    made: bool
    """By us, so that it is to be given a mode."""
    hands_down_acl: bool
    """It has a default ACL, so new files in it are not bare."""
    new_owner: tuple[int, int] | None = None
    """Whom new files belong to here, once one was made."""
    held: bool = False
    """Others were told that a temporary name may be in it."""


class TreeWriter:
    """Writes below one target directory. A context manager; leaving it without `finish` keeps what was written."""

    def __init__(self, target: Path, *, numeric_ids: bool = False) -> None:
        """Open `target`, making it and its parents where they are missing. Raises TargetError.

        Owners go by name where both sides know one, else, and with `numeric_ids`, by number.
        """
        self._umask = _umask()
        self._new_mode = 0o600 & ~self._umask
        try:
            made = not target.exists()
            if made:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.mkdir(mode=0o700)
                if self._umask & 0o700:  # a mask that would keep even us out
                    target.chmod(0o700)
            self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TargetError(f"cannot restore to {target}: {error.strerror}") from error
        self._stack = DirectoryStack(self._root)
        self._metadata = MetadataWriter(numeric_ids=numeric_ids)
        self._temporary = f".icc-restore-{os.urandom(8).hex()}".encode()
        status = os.fstat(self._root)
        self._levels = [_Level(b"", status, made, _has_default_acl(self._root))]
        unlock_directory(self._root, status)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def skipped(self) -> Skipped:
        """What this user or file system could not be given, counted."""
        return self._metadata.skipped

    @property
    def path(self) -> bytes:
        """Stored path of the current directory."""
        return b"/".join(level.name for level in self._levels[1:])

    # ------------------------------------------------------------------ directories

    def enter(self, name: bytes, *, replace: bool = False) -> bool:
        """Go into the directory `name`, making it where it is missing; says whether it was made.

        Anything else under that name is removed with `replace`; without, OSError (ENOTDIR, ELOOP for a symbolic link).
        """
        _check(name)
        parent = self._stack.fd
        made = _make_directory(parent, name)
        try:
            status = self._stack.descend(name, unlock=True)
        except OSError as error:
            if not replace or error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                raise
            os.unlink(name, dir_fd=parent)
            made = _make_directory(parent, name)
            status = self._stack.descend(name, unlock=True)
        hands_down = self._levels[-1].hands_down_acl if made else _has_default_acl(self._stack.fd)
        self._levels.append(_Level(name, status, made, hands_down))
        return made

    def leave(self, entry: Entry | None = None, owners: Owners = _NO_NAMES) -> None:
        """Give the current directory what `entry` says and go back up.

        Without an entry a directory found there stays as it was, and one made here gets the usual mode.
        Raises TargetError when the tree was moved meanwhile, since the way back is lost; OSError when the directory is
        left but could not get all.
        """
        level = self._levels[-1]
        try:
            fd = self._stack.ascend()
        except OSError as error:
            raise TargetError(f"{paths.display(self.path)}: {error.strerror}", hint="restore again") from error
        self._levels.pop()
        self._levels[-1].held = False  # its descriptor may be a new one
        try:
            self._settle_directory(fd, level, entry, owners)
        finally:
            os.close(fd)

    def _settle_directory(self, fd: int, level: _Level, entry: Entry | None, owners: Owners) -> None:
        now = os.fstat(fd)
        if entry is not None:
            bare = level.made and not level.hands_down_acl
            self._apply(fd, entry, owners, now, now.st_mode, bare=bare)
        elif level.made:
            os.fchmod(fd, 0o777 & ~self._umask)
        elif now.st_mode != level.status.st_mode:
            os.fchmod(fd, stat.S_IMODE(level.status.st_mode))

    # ------------------------------------------------------------------ looking

    def lstat(self, name: bytes) -> os.stat_result:
        """The status of a name in the current directory. Raises FileNotFoundError."""
        _check(name)
        return os.stat(name, dir_fd=self._stack.fd, follow_symlinks=False)

    def listdir(self) -> list[bytes]:
        """The names in the current directory, in no order."""
        return [os.fsencode(name) for name in os.listdir(self._stack.fd)]

    @property
    def directory_fd(self) -> int:
        """Descriptor of the current directory, for comparing what is there. It stays the writer's."""
        return self._stack.fd

    # ------------------------------------------------------------------ writing

    def write_file(self, entry: Entry, owners: Owners, content: Iterable[bytes | int]) -> int:
        """Write a regular file; whatever had its name, but a directory, is replaced. Returns its size.

        `content` yields bytes, and numbers for holes of that many bytes. What it raises passes through.
        """
        # Flat, since a restore calls this for every file.
        name = entry.name
        if b"/" in name or name in _NOT_NAMES:
            _check(name)
        directory = self._stack.fd
        level = self._levels[-1]
        temporary = self._temporary
        if not level.held:
            self._hold(level)
        try:
            fd = os.open(temporary, _CREATE, 0o600, dir_fd=directory)
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
                owner = level.new_owner
                if owner is None:
                    status = os.fstat(fd)
                    owner = level.new_owner = (status.st_uid, status.st_gid)
                bare = not level.hands_down_acl
                mode = self._new_mode if bare else -1
                self._metadata.apply(fd, entry, owners, owner=owner, mode=mode, mtime_ns=None, bare=bare)
            finally:
                os.close(fd)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:  # Ctrl-C too must leave no half file
            self._discard(directory)
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
        _check(entry.name)
        directory = self._stack.fd
        temporary = self._temporary
        self._hold(self._levels[-1])
        try:
            make(temporary, directory)
            self._update(temporary, entry, owners)
            os.rename(temporary, entry.name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:  # Ctrl-C too must leave nothing behind
            self._discard(directory)
            raise

    def link(self, name: bytes, existing: bytes) -> None:
        """Make `name` a hard link to the file with the stored path `existing`; what had the name is replaced.

        Raises OSError where that file is missing or the file system links no further: write the contents then.
        """
        for one in (name, *existing.split(b"/")):
            _check(one)
        directory = self._stack.fd
        parent, _, source = existing.rpartition(b"/")
        above = self._open_from_root(parent)
        try:
            try:
                os.link(source, name, src_dir_fd=above, dst_dir_fd=directory, follow_symlinks=False)
                return
            except FileExistsError:
                self._hold(self._levels[-1])
            try:
                os.link(source, self._temporary, src_dir_fd=above, dst_dir_fd=directory, follow_symlinks=False)
                os.rename(self._temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            finally:
                self._discard(directory)  # between two names of one file rename does nothing
        finally:
            os.close(above)

    def update(self, entry: Entry, owners: Owners) -> bool:
        """Give a file whose contents are right the metadata of its entry.

        Says False, and does nothing, where the file has several names or is of another type: some names of it may be
        outside of the target. Write it anew then.
        """
        _check(entry.name)
        return self._update(entry.name, entry, owners)

    def remove(self, name: bytes) -> None:
        """Remove a name of the current directory, with everything below it."""
        _check(name)
        removal.remove(self._stack.fd, name)

    # ------------------------------------------------------------------ the end

    def finish(self, entry: Entry | None = None, owners: Owners = _NO_NAMES) -> None:
        """Give the target itself what `entry` says, and wait until everything is on the disk."""
        while len(self._levels) > 1:
            self.leave()
        self._settle_directory(self._root, self._levels[0], entry, owners)
        sync_file_system(self._root)
        self.close()

    def close(self) -> None:
        """Close all directories; those found with fewer rights than we needed get their modes back."""
        if self._root < 0:
            return
        try:
            while len(self._levels) > 1:
                self.leave()
        except (OSError, TargetError):
            pass  # what led here is told already
        self._stack.close()
        root, self._root = self._root, -1  # a close that fails has closed: it must not be tried again
        os.close(root)

    # ------------------------------------------------------------------ inner parts

    def _apply(
        self, target: int | bytes, entry: Entry, owners: Owners, now: os.stat_result, mode: int, *, bare: bool
    ) -> None:
        owner = (now.st_uid, now.st_gid)
        self._metadata.apply(target, entry, owners, owner=owner, mode=mode, mtime_ns=now.st_mtime_ns, bare=bare)

    def _update(self, name: bytes, entry: Entry, owners: Owners) -> bool:
        """Metadata for what is there and cannot be opened as a file: O_PATH holds on to it without opening it."""
        fd = os.open(name, _LOOK, dir_fd=self._stack.fd)
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

    def _open_from_root(self, path: bytes) -> int:
        """A descriptor of a directory of the target, reached without following a symbolic link."""
        fd = os.dup(self._root)
        for name in paths.parts(path):
            above = fd
            try:
                fd = os.open(name, _LOOK | os.O_DIRECTORY, dir_fd=above)
            finally:
                os.close(above)
        return fd

    def _hold(self, level: _Level) -> None:
        hold(self._stack.fd)
        level.held = True

    def _discard(self, directory: int) -> None:
        try:
            os.unlink(self._temporary, dir_fd=directory)
        except FileNotFoundError:
            pass


def _check(name: bytes) -> None:
    """Refuse what is not one name: the last guard between a hostile snapshot and the rest of the disk."""
    if b"/" in name or name in _NOT_NAMES:
        raise OSError(errno.EINVAL, "is not a file name", name)


def _make_directory(parent: int, name: bytes) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def _write_rest(fd: int, piece: bytes, written: int) -> int:
    rest = memoryview(piece)[written:]
    total = len(rest)
    while rest:
        rest = rest[os.write(fd, rest) :]
    return total


def _has_default_acl(fd: int) -> bool:
    try:
        return bool(os.getxattr(fd, _DEFAULT_ACL))
    except OSError:
        return False


def _umask() -> int:
    """The mask for new files; the system tells it only to who sets it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
