"""Writing a tree below a target directory, as a restore does, and nothing outside of it.

The writer stands in one directory at a time and works on names in it, through the directory's descriptor. No symbolic
link is ever followed, whatever others do to the tree meanwhile (the target's own path may be one: the user gave it).
How a single name comes to be is told in `directory_writer`. New files and directories belong to us alone until they
have their contents; a directory gets its mode and times when it is left.

The caller decides what to write and what to keep; entries come with their extended attributes loaded. Every OSError
is about the one name given, and the writer can go on. Nothing is safe on the disk before `finish`.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from icc_store.errors import TargetError
from icc_store.fs import removal
from icc_store.fs.directory_stack import DirectoryStack, unlock_directory
from icc_store.fs.directory_writer import LOOK, TEMPORARY, DirectoryWriter, Nature, check_name, make_tools
from icc_store.fs.durability import sync_file_system
from icc_store.fs.metadata_writer import Skipped
from icc_store.model import paths
from icc_store.model.entry import Entry
from icc_store.model.tree import Owners

__all__ = ("TEMPORARY", "TreeWriter")

_DEFAULT_ACL = "system.posix_acl_default"
_NO_NAMES = Owners()


@dataclass(slots=True)
class _Level:
    """What is known of a directory the writer is in."""

    name: bytes
    status: os.stat_result
    """As it was found."""
    writer: DirectoryWriter


class TreeWriter:
    """Writes below one target directory. A context manager; leaving it without `finish` keeps what was written."""

    def __init__(self, target: Path, *, numeric_ids: bool = False) -> None:
        """Open `target`, making it and its parents where they are missing. Raises TargetError.

        Owners go by name where both sides know one, else, and with `numeric_ids`, by number.
        """
        self._tools = make_tools(_umask(), numeric_ids=numeric_ids)
        try:
            made = not target.exists()
            if made:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.mkdir(mode=0o700)
                if self._tools.umask & 0o700:  # a mask that would keep even us out
                    target.chmod(0o700)
            self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise TargetError(f"cannot restore to {target}: {error.strerror}") from error
        self._stack = DirectoryStack(self._root)
        status = os.fstat(self._root)
        nature = Nature(made, _has_default_acl(self._root), made and _keeps_modes(self._root))
        self.here = DirectoryWriter(self._root, nature, self._tools)
        """Writes in the current directory."""
        self._levels = [_Level(b"", status, self.here)]
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
        return self._tools.metadata.skipped

    @property
    def umask(self) -> int:
        """The mask for new files."""
        return self._tools.umask

    @property
    def path(self) -> bytes:
        """Stored path of the current directory."""
        return b"/".join(level.name for level in self._levels[1:])

    # ------------------------------------------------------------------ directories

    def enter(self, name: bytes, *, replace: bool = False) -> bool:
        """Go into the directory `name`, making it where it is missing; says whether it was made.

        Anything else under that name is removed with `replace`; without, OSError (ENOTDIR, ELOOP for a symbolic link).
        """
        check_name(name)
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
        fd, above = self._stack.fd, self.here.nature
        hands_down = above.hands_down_acl if made else _has_default_acl(fd)
        nature = Nature(made, hands_down, made and (above.direct or _keeps_modes(fd)))
        self.here = DirectoryWriter(fd, nature, self._tools)
        self._levels.append(_Level(name, status, self.here))
        return made

    def leave(self, entry: Entry | None = None, owners: Owners = _NO_NAMES) -> None:
        """Give the current directory what `entry` says and go back up.

        Without an entry a directory found there stays as it was, and one made here gets the usual mode.
        Raises TargetError when the tree was moved meanwhile, since the way back is lost; OSError when the directory is
        left but could not get all.
        """
        level = self._levels[-1]
        fd = self._go_up()
        try:
            level.writer.settle(entry, owners, level.status)
        finally:
            os.close(fd)

    def hand_over(self) -> int:
        """Go back up from a directory that somebody else is to fill and settle: the caller, who gets its descriptor.

        Raises TargetError as `leave` does.
        """
        return self._go_up()

    def _go_up(self) -> int:
        try:
            fd = self._stack.ascend()
        except OSError as error:
            raise TargetError(f"{paths.display(self.path)}: {error.strerror}", hint="restore again") from error
        self._levels.pop()
        self.here = self._levels[-1].writer
        self.here.stand_at(self._stack.fd)  # opened again, where the way was so long that it had been closed
        return fd

    # ------------------------------------------------------------------ looking

    def lstat(self, name: bytes) -> os.stat_result:
        """The status of a name in the current directory. Raises FileNotFoundError."""
        check_name(name)
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
        """Write a regular file in the current directory; see DirectoryWriter."""
        return self.here.write_file(entry, owners, content)

    def symlink(self, entry: Entry, owners: Owners) -> None:
        """Make a symbolic link; whatever had its name, but a directory, is replaced."""
        self.here.symlink(entry, owners)

    def special(self, entry: Entry, owners: Owners) -> None:
        """Make a FIFO or device node; see DirectoryWriter."""
        self.here.special(entry, owners)

    def link(self, name: bytes, existing: bytes) -> None:
        """Make `name` a hard link to the file with the stored path `existing`; what had the name is replaced.

        Raises OSError where that file is missing or the file system links no further: write the contents then.
        """
        for one in existing.split(b"/"):
            check_name(one)
        parent, _, source = existing.rpartition(b"/")
        above = self._open_from_root(parent)
        try:
            self.here.link(name, source, above)
        finally:
            os.close(above)

    def update(self, entry: Entry, owners: Owners) -> bool:
        """Give a file whose contents are right the metadata of its entry; see DirectoryWriter."""
        return self.here.update(entry, owners)

    def remove(self, name: bytes) -> None:
        """Remove a name of the current directory, with everything below it."""
        check_name(name)
        removal.remove(self._stack.fd, name)

    # ------------------------------------------------------------------ the end

    def finish(self, entry: Entry | None = None, owners: Owners = _NO_NAMES) -> None:
        """Give the target itself what `entry` says, and wait until everything is on the disk."""
        while len(self._levels) > 1:
            self.leave()
        self._levels[0].writer.settle(entry, owners, self._levels[0].status)
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

    def _open_from_root(self, path: bytes) -> int:
        """A descriptor of a directory of the target, reached without following a symbolic link."""
        fd = os.dup(self._root)
        for name in paths.parts(path):
            above = fd
            try:
                fd = os.open(name, LOOK | os.O_DIRECTORY, dir_fd=above)
            finally:
                os.close(above)
        return fd


def _make_directory(parent: int, name: bytes) -> bool:
    try:
        os.mkdir(name, 0o700, dir_fd=parent)
    except FileExistsError:
        return False
    return True


def _has_default_acl(fd: int) -> bool:
    try:
        return bool(os.getxattr(fd, _DEFAULT_ACL))
    except OSError:
        return False


def _keeps_modes(directory: int) -> bool:
    """Whether a file made without rights in this directory of ours can be given some: it could not be read else."""
    try:
        os.fchmod(directory, 0o700)
    except OSError:
        return False
    return True


def _umask() -> int:
    """The mask for new files; the system tells it only to who sets it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
