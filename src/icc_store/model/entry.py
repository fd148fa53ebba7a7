"""One name in a directory, as a snapshot keeps it.

On the wire an entry is a map with small integer keys (docs/format.md, *Trees*). Hot loops handle that map directly;
everybody else uses `Entry`. Keys below 128 that are not known here are refused, because they change what the entry
means; keys from 128 on are kept untouched.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import Any

from icc_store.errors import BlockDamaged
from icc_store.ids import ID_SIZE, ObjectId

Wire = dict[int, Any]

NAME, MODE, UID, GID, SIZE, MTIME = 1, 2, 3, 4, 5, 6
CHUNK, LIST, SUBTREE, TARGET, DEVICE = 7, 8, 9, 10, 11
XATTRS, XATTRS_ID, HARD_LINK, FLAGS, DIGEST = 12, 13, 14, 15, 16
FIRST_KEPT_KEY = 128

FLAG_CHANGED_WHILE_READ = 1
FLAG_SQLITE_COPY = 2

_FIELDS = {
    NAME: "name",
    MODE: "mode",
    UID: "uid",
    GID: "gid",
    SIZE: "size",
    MTIME: "mtime_ns",
    CHUNK: "chunk",
    LIST: "content_list",
    SUBTREE: "subtree",
    TARGET: "target",
    DEVICE: "device",
    XATTRS: "xattrs",
    XATTRS_ID: "xattrs_id",
    HARD_LINK: "hard_link",
    FLAGS: "flags",
    DIGEST: "digest",
}


@dataclass(slots=True)
class Entry:
    """A file, directory, symbolic link or special file. Sizes are bytes, times ns since 1970 UTC."""

    name: bytes
    mode: int
    """`st_mode`: type and permission bits together."""
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime_ns: int = 0
    chunk: ObjectId | None = None
    """The content, when it is one chunk. An empty file has neither chunk nor content list."""
    content_list: ObjectId | None = None
    """The content, when it is several chunks or has holes."""
    subtree: ObjectId | None = None
    """What a directory holds."""
    target: bytes | None = None
    """Where a symbolic link points."""
    device: tuple[int, int] | None = None
    """Major and minor number of a device node."""
    xattrs: dict[bytes, bytes] | None = None
    """Extended attributes (POSIX ACLs among them), sorted by name, when the set is small."""
    xattrs_id: ObjectId | None = None
    """The object that holds them when it is not."""
    hard_link: bytes | None = None
    """Stored path of the first member of a group of hard links; absent for that first member's only name."""
    flags: int = 0
    digest: bytes | None = None
    """SHA-256 of the whole content, where one was asked for."""
    kept: Wire = field(default_factory=dict)
    """Fields of newer programs (keys from 128 on), kept as they are."""

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)

    @property
    def permissions(self) -> int:
        return stat.S_IMODE(self.mode)

    def to_wire(self) -> Wire:
        """The map that stands in a tree: known keys in rising order, absent fields left out."""
        wire: Wire = {NAME: self.name, MODE: self.mode, UID: self.uid, GID: self.gid}
        if self.is_file:
            wire[SIZE] = self.size
        wire[MTIME] = self.mtime_ns
        for key in range(CHUNK, DIGEST + 1):
            value = getattr(self, _FIELDS[key])
            if value is not None and not (key == FLAGS and value == 0):
                wire[key] = list(value) if key == DEVICE else value
        wire.update(sorted(self.kept.items()))
        return wire


def in_order(wire: Wire) -> Wire:
    """The same entry with its keys in rising order, as the format wants them."""
    return dict(sorted(wire.items()))


def entry_from_wire(wire: Wire) -> Entry:
    """The entry of a map read from a tree. Raises BlockDamaged when a field is wrong, missing or unknown."""
    try:
        known = {_FIELDS[key]: value for key, value in wire.items() if key < FIRST_KEPT_KEY}
        entry = Entry(**known)
        entry.kept = {key: value for key, value in wire.items() if key >= FIRST_KEPT_KEY}
    except (KeyError, TypeError) as error:
        raise BlockDamaged(f"a tree entry cannot be understood: {error}") from error
    if entry.device is not None:
        entry.device = (entry.device[0], entry.device[1])
    _check(entry)
    return entry


def _check(entry: Entry) -> None:
    """Refuse what would be dangerous or meaningless further up."""
    name = entry.name
    if not isinstance(name, bytes) or b"/" in name or b"\0" in name or name in (b".", b".."):
        raise BlockDamaged(f"a tree entry has the impossible name {name!r}")
    for number in (entry.mode, entry.uid, entry.gid, entry.size, entry.mtime_ns, entry.flags):
        if not isinstance(number, int):
            raise BlockDamaged(f"the entry {name!r} has a field that is not a number")
    for identity in (entry.chunk, entry.content_list, entry.subtree, entry.xattrs_id):
        if identity is not None and (not isinstance(identity, bytes) or len(identity) != ID_SIZE):
            raise BlockDamaged(f"the entry {name!r} refers to something that is not an id")
    if entry.size < 0 or (entry.is_directory and entry.subtree is None):
        raise BlockDamaged(f"the entry {name!r} is not complete")
