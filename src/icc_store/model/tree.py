"""Trees: one object per directory, several for a large one.

A tree part holds entries in byte order of names. Where a large directory is cut is a pure function of its sorted
names, so one more file changes the part it falls into and its neighbours, never all of them. Parts are held together
by a node that lists them, recursively. On the wire (docs/format.md, *Trees*):

    part   {1: [entry, ...], 2: {uid: name}, 3: {gid: name}}
    node   {4: [[first name, id], ...]}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol
from zlib import crc32

from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import ID_SIZE, Kind, ObjectId
from icc_store.limits import MAX_PART_SIZE, MAX_TREE_LEVELS, TREE_FANOUT_MAX, TREE_FANOUT_MEAN, TREE_FANOUT_MIN
from icc_store.model.entry import NAME, Entry, Wire, check_wire, entry_from_wire, with_storable_time
from icc_store.quick_dataclass import dataclass, field

_ENTRIES, _USERS, _GROUPS, _PARTS = 1, 2, 3, 4
_MIX = 0x9E3779B1
_THRESHOLD = (1 << 32) // (TREE_FANOUT_MEAN - TREE_FANOUT_MIN)


class Objects(Protocol):
    """Where trees are read from."""

    def get(self, identity: ObjectId, kind: int) -> bytes:
        """The bytes of an object."""


@dataclass
class Owners:
    """Names of the users and groups that own a part's entries, as far as the machine knew them."""

    users: dict[int, str] = field(default_factory=dict)
    groups: dict[int, str] = field(default_factory=dict)


@dataclass
class TreePart:
    """One part of a directory: its entries as maps, and the names of their owners."""

    entries: list[Wire]
    owners: Owners


def ends_part(name: bytes, count: int) -> bool:
    """Whether a tree part that has `count` names ends after this one."""
    if count < TREE_FANOUT_MIN:
        return False
    return count >= TREE_FANOUT_MAX or (crc32(name) * _MIX) & 0xFFFFFFFF < _THRESHOLD


def cut_points(names: Sequence[bytes]) -> list[int]:
    """Where the parts of a directory with these sorted names end (exclusive); the last is `len(names)`.

    A name ends a part when a hash of it is small: 2,048 names on average, at least 512, at most 8,192.
    """
    ends: list[int] = []
    count = 0
    for number, name in enumerate(names, 1):
        count += 1
        if ends_part(name, count):
            ends.append(number)
            count = 0
    if count or not ends:
        ends.append(len(names))
    return ends


def pack_part(entries: Sequence[Wire], owners: Owners) -> bytes:
    """The bytes of a part. Entries are sorted by name, owners' names by number."""
    users = dict(sorted(owners.users.items()))
    groups = dict(sorted(owners.groups.items()))
    try:
        return pack({_ENTRIES: entries, _USERS: users, _GROUPS: groups})
    except OverflowError:
        return pack({_ENTRIES: [with_storable_time(entry) for entry in entries], _USERS: users, _GROUPS: groups})


def store_part(entries: Sequence[Wire], owners: Owners, add: Callable[[bytes], ObjectId]) -> ObjectId:
    """Store a part and return its id; `add` stores an object. One too large for an object is halved by entries."""
    data = pack_part(entries, owners)
    if len(data) <= MAX_PART_SIZE or len(entries) < 2:
        return add(data)
    halves = (entries[: len(entries) // 2], entries[len(entries) // 2 :])
    return join_parts([(half[0][NAME], store_part(half, owners, add)) for half in halves], add)


def join_parts(parts: Sequence[tuple[bytes, ObjectId]], add: Callable[[bytes], ObjectId]) -> ObjectId:
    """The id of the tree made of these parts (first name, id); `add` stores a node and returns its id."""
    level = list(parts)
    while len(level) > 1:
        ends = cut_points([name for name, _ in level])
        starts = [0, *ends[:-1]]
        level = [
            (level[start][0], add(pack({_PARTS: [list(part) for part in level[start:end]]})))
            for start, end in zip(starts, ends, strict=True)
        ]
    return level[0][1]


def parse_tree(data: bytes) -> TreePart | list[tuple[bytes, ObjectId]]:
    """A part, or the list of parts of a node. Raises BlockDamaged."""
    try:
        tree = unpack(data)
        if type(tree) is not dict:
            raise ValueError("it is no map")
        if set(tree) == {_PARTS}:
            parts = [(_name(name), _identity(identity)) for name, identity in tree[_PARTS]]
            _check_order([name for name, _ in parts])
            if not parts:
                raise ValueError("it is a node without parts")
            return parts
        if set(tree) != {_ENTRIES, _USERS, _GROUPS}:
            raise ValueError(f"it has the fields {sorted(tree)}")
        entries: list[Wire] = tree[_ENTRIES]
        for entry in entries:
            check_wire(entry)
        names = [entry[NAME] for entry in entries]
        _check_order(names)
        if names and not names[0]:
            raise ValueError("a name is empty")
        return TreePart(entries, Owners(owner_names(tree[_USERS]), owner_names(tree[_GROUPS])))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BlockDamaged(f"a tree cannot be understood: {error}") from error


def tree_parts(objects: Objects, identity: ObjectId) -> Iterator[tuple[ObjectId, TreePart]]:
    """The parts of a tree in order of names, with their ids. One part at a time is in memory."""
    last: bytes | None = None
    for part_id, part in _parts(objects, identity, 0):
        if part.entries:
            if last is not None and part.entries[0][NAME] <= last:
                raise BlockDamaged(f"the parts of tree {identity.hex()} are not in order")
            last = part.entries[-1][NAME]
        yield part_id, part


def _parts(objects: Objects, identity: ObjectId, level: int) -> Iterator[tuple[ObjectId, TreePart]]:
    if level > MAX_TREE_LEVELS:
        raise BlockDamaged(f"tree {identity.hex()} has too many levels")
    parsed = parse_tree(objects.get(identity, Kind.TREE))
    if isinstance(parsed, TreePart):
        yield identity, parsed
        return
    for _, part in parsed:
        yield from _parts(objects, part, level + 1)


def tree_entries(objects: Objects, identity: ObjectId) -> Iterator[tuple[Entry, Owners]]:
    """The entries of a directory in order of names, with the names of their owners."""
    for _, part in tree_parts(objects, identity):
        for wire in part.entries:
            yield entry_from_wire(wire), part.owners


def find_entry(objects: Objects, identity: ObjectId, name: bytes) -> tuple[Entry, Owners] | None:
    """The entry of that name, reading only the parts on the way to it."""
    for _ in range(MAX_TREE_LEVELS + 1):
        parsed = parse_tree(objects.get(identity, Kind.TREE))
        if isinstance(parsed, TreePart):
            for wire in parsed.entries:
                if wire[NAME] == name:
                    return entry_from_wire(wire), parsed.owners
            return None
        inside = [part for first, part in parsed if first <= name]
        if not inside:
            return None
        identity = inside[-1]
    raise BlockDamaged(f"tree {identity.hex()} has too many levels")


def _check_order(names: list[bytes]) -> None:
    b"".join(names)  # a TypeError for what is not bytes
    if any(first >= second for first, second in pairwise(names)):
        raise ValueError("its names are not in order")


def owner_names(value: object) -> dict[int, str]:
    """The names of users or groups by number, as they stand in a tree or record. Raises ValueError."""
    if type(value) is not dict or not all(type(key) is int and type(name) is str for key, name in value.items()):
        raise ValueError("the names of its owners are none")
    return value


def _name(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise ValueError("a part's name is not bytes")
    return value


def _identity(value: object) -> ObjectId:
    if not isinstance(value, bytes) or len(value) != ID_SIZE:
        raise ValueError("a part's id is not an id")
    return ObjectId(value)
