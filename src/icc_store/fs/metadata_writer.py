"""Giving a file the owner, extended attributes, mode and times of its entry, in that order.

The order matters: a change of owner takes setuid bits and capabilities away, attributes need a file its owner may
write to, and all of it changes times. What this system or this user cannot give is counted, and is no error.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from icc_store.fs.metadata import open_xattrs
from icc_store.fs.ownership import LocalOwners
from icc_store.model.entry import Entry
from icc_store.model.tree import Owners

Target = int | bytes
"""An open descriptor, or the `/proc/self/fd/N` of one opened with O_PATH."""

_REFUSED = frozenset((errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EINVAL, errno.E2BIG, errno.ERANGE, errno.ENOSPC))
"""An owner or attribute that this user may not give, or this file system cannot hold. A full disk is among them: ext4
says so of an attribute above a few KiB, and a disk that is full indeed will refuse the next file as well."""

_SYSTEM_LABELS = frozenset((b"security.selinux", b"security.ima", b"security.evm"))
"""Attributes the system gives by its own rules: never taken away."""

_SET_ID = stat.S_ISUID | stat.S_ISGID


@dataclass(slots=True)
class Skipped:
    """How many files did not get everything their entries say."""

    ownership: int = 0
    xattrs: int = 0
    modes: int = 0

    def add(self, other: Skipped) -> None:
        """Count what another has counted as well."""
        self.ownership += other.ownership
        self.xattrs += other.xattrs
        self.modes += other.modes


class MetadataWriter:
    """Applies entries to files that are open, so that nothing can be swapped in."""

    def __init__(self, *, numeric_ids: bool = False) -> None:
        self.skipped = Skipped()
        self._owners = LocalOwners(numeric=numeric_ids)
        self._refused_owners: set[tuple[int, int]] = set()

    def apply(
        self,
        target: Target,
        entry: Entry,
        owners: Owners,
        *,
        owner: tuple[int, int],
        mode: int,
        mtime_ns: int | None,
        bare: bool,
    ) -> None:
        """Make `target`, which has this owner (uid and gid), mode and time now, what its entry says.

        Only what differs is set. An unknown mode is -1, an unknown time None. A `bare` file is known to have no
        extended attributes yet.
        Raises OSError when the file cannot take what others can.
        """
        wanted = self._owners.local(entry.uid, entry.gid, owners)
        permissions = entry.mode & 0o7777
        if wanted != owner:
            if self._give(target, wanted):
                mode = -1 if mode & _SET_ID else mode  # the kernel may have taken them away
            else:
                permissions &= ~_SET_ID  # they would lend the rights of the wrong owner
        if (entry.xattrs or not bare) and self._set_xattrs(target, entry.xattrs or {}):
            mode = -1  # an ACL has bits of the mode in it
        if (mode < 0 or permissions != mode & 0o7777) and not stat.S_ISLNK(entry.mode):
            try:
                os.chmod(target, permissions)
            except PermissionError:  # a file system without modes
                self.skipped.modes += 1
        if mtime_ns != entry.mtime_ns:
            os.utime(target, ns=(entry.mtime_ns, entry.mtime_ns))

    def _give(self, target: Target, owner: tuple[int, int]) -> bool:
        if owner not in self._refused_owners:
            try:
                os.chown(target, *owner)
                return True
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise
            self._refused_owners.add(owner)
        self.skipped.ownership += 1
        return False

    def _set_xattrs(self, target: Target, wanted: dict[bytes, bytes]) -> bool:
        """Make `wanted` the extended attributes; says whether anything had to be done."""
        present = open_xattrs(target)
        if present == wanted:
            return False
        complete = True
        for name in present.keys() - wanted.keys() - _SYSTEM_LABELS:
            complete &= _accepted(os.removexattr, target, name)
        for name, value in wanted.items():
            if present.get(name) != value:
                complete &= _accepted(os.setxattr, target, name, value)
        self.skipped.xattrs += not complete
        return True


def device_number(entry: Entry) -> int:
    """The number of a device node. Raises OSError for one that this system cannot have."""
    try:
        return os.makedev(*(entry.device or (0, 0)))
    except OverflowError as error:
        raise OSError(errno.EINVAL, "this system has no such devices", entry.name) from error


def _accepted(call: Callable[..., None], *arguments: Target) -> bool:
    try:
        call(*arguments)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        return False
    return True
