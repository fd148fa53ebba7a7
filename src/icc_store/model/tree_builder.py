"""A tree from entries that come in any order, each under its whole path.

Entries wait in memory, packed (about 200 bytes each), until all are there; then directories are stored from below, in
order of paths, exactly as a scan of the same files would store them. A directory that is only mentioned in the paths
of others is made up: it gets the owner and time of the first thing in it.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from icc_store.codec.serial import pack, unpack
from icc_store.ids import ObjectId
from icc_store.limits import MAX_IMPORTED_TREE, MAX_TREE_DEPTH
from icc_store.model.entry import (
    GID,
    HARD_LINK,
    MODE,
    MTIME,
    NAME,
    SUBTREE,
    UID,
    Entry,
    Wire,
    in_order,
    with_storable_time,
)
from icc_store.model.paths import display, parts
from icc_store.model.tree import Owners, cut_points, join_parts, store_part

_MADE_UP_MODE = stat.S_IFDIR | 0o755
_OVERHEAD = 150
"""Bytes that Python needs for an entry beyond its own."""

_SHOWN = 200
_KINDS = {
    stat.S_IFREG: "a file",
    stat.S_IFDIR: "a directory",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


@dataclass(slots=True)
class Placed:
    """An entry as a map, and the names of its owners where they are known."""

    wire: Wire
    user: str = ""
    group: str = ""


@dataclass(slots=True)
class _Directory:
    """One that has been entered."""

    own: bytes
    """Its entry, packed, without the subtree."""
    made_up: bool
    below: dict[bytes, bytes | _Directory] = field(default_factory=dict)
    tree: ObjectId | None = None


class TreeBuilder:
    """Takes entries, then stores trees. Paths are stored paths; the root is the empty one."""

    def __init__(self, add_tree: Callable[[bytes], ObjectId]) -> None:
        self._add_tree = add_tree
        self._root = _Directory(b"", made_up=True)
        self._held = 0

    def put(self, path: bytes, placed: Placed) -> None:
        """Place an entry (a directory without its subtree). One that comes twice counts as it comes last.

        Raises ValueError when the path needs a directory where something else is, or the other way round, and when
        there is too much of it all.
        """
        wire = placed.wire
        is_directory = stat.S_ISDIR(wire[MODE])
        packed = _pack(placed)
        if not path:
            if not is_directory:
                raise ValueError(f"the root is not {_kind(wire)}")
            self._root.own, self._root.made_up = packed, False
            return
        parent = self._parent(path, placed)
        name = wire[NAME]
        there = parent.below.get(name)
        if isinstance(there, _Directory) and is_directory:
            there.own, there.made_up = packed, False
            return
        if there is not None:
            before = _kind(_unpack(there.own if isinstance(there, _Directory) else there).wire)
            if before != _kind(wire):
                raise ValueError(f"{shown(path)} is both {before} and {_kind(wire)}")
        parent.below[name] = _Directory(packed, made_up=False) if is_directory else packed
        self._hold(len(packed) + len(name))

    def get(self, path: bytes) -> Placed | None:
        """What was placed at a path, if it is no directory."""
        node: _Directory | bytes | None = self._root
        for name in parts(path):
            node = node.below.get(name) if isinstance(node, _Directory) else None
        return _unpack(node) if isinstance(node, bytes) else None

    def names(self, path: bytes = b"") -> dict[bytes, bool]:
        """The names in a directory, and whether each is a directory itself. Raises KeyError where there is none."""
        return {name: isinstance(item, _Directory) for name, item in self._directory(path).below.items()}

    def enter(self, path: bytes) -> None:
        """Make a directory the root; what is beside it is gone. Raises KeyError."""
        if not path:
            return
        self._root = self._directory(path)
        placed = _unpack(self._root.own)
        self._root.own = _pack(replace(placed, wire=placed.wire | {NAME: b""}))
        prefix = path + b"/"
        waiting = [self._root]
        while waiting:
            directory = waiting.pop()
            for name, item in directory.below.items():
                if isinstance(item, _Directory):
                    waiting.append(item)
                    continue
                placed = _unpack(item)
                first = placed.wire.get(HARD_LINK, b"")
                if first.startswith(prefix):
                    placed.wire[HARD_LINK] = first.removeprefix(prefix)
                    directory.below[name] = _pack(placed)

    def remove(self, name: bytes) -> None:
        """Take a file out of the root. Raises KeyError."""
        del self._root.below[name]

    def root(self) -> Placed | None:
        """The entry placed at the root."""
        return None if self._root.made_up else _unpack(self._root.own)

    def finish(self) -> ObjectId:
        """Store all trees and return the root's. The builder is empty afterwards."""
        stack = [(self._root, _subdirectories(self._root))]
        while True:
            directory, rest = stack[-1]
            child = next(rest, None)
            if child is not None:
                stack.append((child, _subdirectories(child)))
                continue
            tree = directory.tree = self._store(directory)
            directory.below.clear()
            stack.pop()
            if not stack:
                return tree

    def _store(self, directory: _Directory) -> ObjectId:
        below = directory.below
        names = sorted(below)
        stored, start = [], 0
        for end in cut_points(names):
            owners = Owners()
            wires = [_wire(below[name], owners) for name in names[start:end]]
            stored.append((names[start] if names else b"", store_part(wires, owners, self._add_tree)))
            start = end
        return join_parts(stored, self._add_tree)

    def _directory(self, path: bytes) -> _Directory:
        node = self._root
        for name in parts(path):
            below = node.below[name]
            if not isinstance(below, _Directory):
                raise KeyError(path)
            node = below
        return node

    def _parent(self, path: bytes, placed: Placed) -> _Directory:
        """The directory that a path is in; missing ones on the way are made up."""
        names = parts(path)
        if len(names) >= MAX_TREE_DEPTH:
            raise ValueError(f"{shown(path)} is deeper than any directory can be")
        node = self._root
        for depth, name in enumerate(names[:-1], 1):
            below = node.below.get(name)
            if below is None:
                below = node.below[name] = _Directory(_pack(_made_up(name, placed)), made_up=True)
                self._hold(len(below.own) + len(name))
            if not isinstance(below, _Directory):
                used = shown(b"/".join(names[:depth]))
                raise ValueError(f"{used} is {_kind(_unpack(below).wire)} and cannot hold {shown(path)}")
            node = below
        return node

    def _hold(self, size: int) -> None:
        self._held += size + _OVERHEAD
        if self._held > MAX_IMPORTED_TREE:
            raise ValueError("there is more in it than fits into memory")


def shown(path: bytes) -> str:
    """A path for a message: one that is too long to read is cut."""
    return display(path) if len(path) <= _SHOWN else f"{display(path[:_SHOWN])}..."


def _subdirectories(directory: _Directory) -> Iterator[_Directory]:
    for _, item in sorted(directory.below.items(), key=lambda pair: pair[0]):
        if isinstance(item, _Directory):
            yield item


def _wire(item: bytes | _Directory, owners: Owners) -> Wire:
    """The entry as it stands in a tree; its owners' names go into `owners`."""
    placed = _unpack(item.own if isinstance(item, _Directory) else item)
    wire = placed.wire
    if placed.user:
        owners.users.setdefault(wire[UID], placed.user)
    if placed.group:
        owners.groups.setdefault(wire[GID], placed.group)
    return in_order(wire | {SUBTREE: item.tree}) if isinstance(item, _Directory) else wire


def _made_up(name: bytes, first: Placed) -> Placed:
    like = first.wire
    entry = Entry(name, _MADE_UP_MODE, like[UID], like[GID], mtime_ns=like[MTIME])
    return Placed(entry.to_wire(), first.user, first.group)


def _kind(wire: Wire) -> str:
    return _KINDS.get(stat.S_IFMT(wire[MODE]), "something else")


def _pack(placed: Placed) -> bytes:
    return pack([with_storable_time(placed.wire), placed.user, placed.group])


def _unpack(packed: bytes) -> Placed:
    return Placed(*unpack(packed))
