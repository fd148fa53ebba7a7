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
from icc_store.model.paths import is_stored_path

Wire = dict[int, Any]

NAME, MODE, UID, GID, SIZE, MTIME = 1, 2, 3, 4, 5, 6
CHUNK, LIST, SUBTREE, TARGET, DEVICE = 7, 8, 9, 10, 11
XATTRS, XATTRS_ID, HARD_LINK, FLAGS, DIGEST = 12, 13, 14, 15, 16
FIRST_KEPT_KEY = 128

_INT64 = 1 << 63
_TIMES = range(-_INT64, 2 * _INT64)
"""What MessagePack has integers for: the years 1677 to 2554. Other times are written as big-endian bytes."""

_TYPE = 0o170000
_TIME_END = (1 << 63) * 1_000_000_000
"""Nanoseconds: a system counts its seconds in 64 bits."""
_TYPE_SHIFT, _REGULAR = 12, stat.S_IFREG >> 12
_SPECIAL_NAMES = (b".", b"..")
_PLAIN_FILE = (NAME, MODE, UID, GID, SIZE, MTIME, CHUNK)
_DIGEST_SIZE = 32
_ID_KEYS = (CHUNK, LIST, SUBTREE, XATTRS_ID)

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


def with_storable_time(wire: Wire) -> Wire:
    """The same entry, with a modification time beyond 64 bits as bytes. Some file systems hold any year."""
    time = wire.get(MTIME)
    if not isinstance(time, int) or time in _TIMES:
        return wire
    return wire | {MTIME: time.to_bytes(time.bit_length() // 8 + 1, signed=True)}


def check_wire(wire: Wire) -> None:
    """Raises ValueError where an entry from a tree is none, or refers to something that cannot be an object.

    What works with maps may take type and size as they are. `entry_from_wire` looks at everything.
    """
    if type(wire) is not dict:
        raise ValueError("an entry is no map")
    mode = wire.get(MODE)
    if type(mode) is not int or (mode & _TYPE == stat.S_IFREG and SIZE not in wire):
        raise ValueError("an entry has no type, or a file no size")
    if type(wire.get(SIZE, 0)) is not int:
        raise ValueError("the size of an entry is no number")
    for key in _ID_KEYS:
        if key in wire and (type(wire[key]) is not bytes or len(wire[key]) != ID_SIZE):
            raise ValueError("an entry refers to something that is not an id")


def entry_from_wire(wire: Wire) -> Entry:
    """The entry of a map read from a tree. Raises BlockDamaged when a field is wrong, missing or unknown."""
    if type(wire) is dict and tuple(wire) == _PLAIN_FILE:
        name, mode, uid, gid, size, mtime, chunk = wire.values()
        # Flat, since nearly all entries are such files: 1.9 us instead of 3.4, and every restored file is one.
        if (
            type(name) is bytes
            and type(mode) is type(uid) is type(gid) is type(size) is type(mtime) is int
            and type(chunk) is bytes
            and len(chunk) == ID_SIZE
            and mode >> _TYPE_SHIFT == _REGULAR
            and 0 <= uid < 1 << 32
            and 0 <= gid < 1 << 32
            and 0 <= size < _INT64
            and b"/" not in name
            and b"\0" not in name
            and name not in _SPECIAL_NAMES
        ):
            return Entry(name, mode, uid, gid, size, mtime, ObjectId(chunk))
    try:
        known = {_FIELDS[key]: value for key, value in wire.items() if key < FIRST_KEPT_KEY}
        entry = Entry(**known)
        entry.kept = {key: value for key, value in wire.items() if key >= FIRST_KEPT_KEY}
        time = wire[MTIME]
        if type(time) is bytes:
            entry.mtime_ns = int.from_bytes(time, signed=True)
            if not -_TIME_END <= entry.mtime_ns < _TIME_END:
                raise ValueError("no system has such a time")
        if entry.device is not None:
            major, minor = entry.device
            entry.device = (major, minor)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BlockDamaged(f"a tree entry cannot be understood: {error}") from error
    _check(entry)
    return entry


def _check(entry: Entry) -> None:
    """Refuse what would be dangerous or meaningless further up."""
    name = entry.name
    if type(name) is not bytes or b"/" in name or b"\0" in name or name in (b".", b".."):
        raise BlockDamaged(f"a tree entry has the impossible name {name!r}")
    for number in (entry.mode, entry.uid, entry.gid, entry.flags):
        if type(number) is not int or not 0 <= number < 1 << 32:
            raise BlockDamaged(f"the entry {name!r} has a field that is not a number")
    if type(entry.size) is not int or not 0 <= entry.size < _INT64 or type(entry.mtime_ns) is not int:
        raise BlockDamaged(f"the entry {name!r} has a field that is not a number")
    for identity in (entry.chunk, entry.content_list, entry.subtree, entry.xattrs_id):
        if identity is not None and (type(identity) is not bytes or len(identity) != ID_SIZE):
            raise BlockDamaged(f"the entry {name!r} refers to something that is not an id")
    if not _is_complete(entry):
        raise BlockDamaged(f"the entry {name!r} is not complete")
    if entry.xattrs is not None and not are_attributes(entry.xattrs):
        raise BlockDamaged(f"the entry {name!r} has impossible attributes")
    if entry.digest is not None and (type(entry.digest) is not bytes or len(entry.digest) != _DIGEST_SIZE):
        raise BlockDamaged(f"the entry {name!r} has an impossible digest")
    if entry.hard_link is not None and not is_stored_path(entry.hard_link):
        raise BlockDamaged(f"the entry {name!r} is a hard link to an impossible path")


def _is_complete(entry: Entry) -> bool:
    """Whether an entry has what its type needs, and nothing that contradicts it."""
    kind = stat.S_IFMT(entry.mode)
    contents = (entry.chunk is not None) + (entry.content_list is not None)
    if (entry.subtree is not None) != (kind == stat.S_IFDIR) or (entry.target is not None) != (kind == stat.S_IFLNK):
        return False
    if (entry.device is not None) != (kind in (stat.S_IFCHR, stat.S_IFBLK)):
        return False
    if kind == stat.S_IFREG:
        return contents == 1 or (contents == 0 and entry.size == 0)
    if contents or entry.size or entry.digest is not None:
        return False
    if entry.target is not None:
        return type(entry.target) is bytes and b"\0" not in entry.target
    if entry.device is not None:
        return all(type(number) is int and 0 <= number < 1 << 32 for number in entry.device)
    return kind in (stat.S_IFDIR, stat.S_IFIFO, stat.S_IFSOCK)


def are_attributes(value: object) -> bool:
    """Whether this is a map of names, as the system can take them, to bytes."""
    if type(value) is not dict or not all(type(part) is bytes for item in value.items() for part in item):
        return False
    return not any(b"\0" in name for name in value)
