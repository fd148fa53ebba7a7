"""Everything a tree refers to: trees, content lists, chunks, attribute objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from icc_store.ids import Kind, ObjectId
from icc_store.model.content import HOLE, read_list
from icc_store.model.entry import CHUNK, LIST, SUBTREE, XATTRS_ID
from icc_store.model.tree import Objects, TreePart, parse_tree

Reference = tuple[Kind, ObjectId]


class Presence(Protocol):
    """Who knows which objects there are."""

    def has(self, identity: ObjectId) -> bool:
        """Whether the object is stored."""


def needs(objects: Objects, kind: Kind, identity: ObjectId) -> tuple[list[Reference], list[ObjectId]]:
    """What a tree or list refers to directly: what may refer to more, and what is content alone.

    Raises ObjectMissing, BlockDamaged.
    """
    if kind == Kind.LIST:
        part = read_list(objects, identity)
        ids = [entry for entry in part.ids if entry != HOLE]
        return ([(Kind.LIST, entry) for entry in ids], []) if part.level else ([], ids)
    tree = parse_tree(objects.get(identity, Kind.TREE))
    if not isinstance(tree, TreePart):
        return [(Kind.TREE, part) for _, part in tree], []
    entries = tree.entries
    below = [(Kind.TREE, wire[SUBTREE]) for wire in entries if SUBTREE in wire]
    below += [(Kind.LIST, wire[LIST]) for wire in entries if LIST in wire]
    content = [wire[CHUNK] for wire in entries if CHUNK in wire]
    content += [wire[XATTRS_ID] for wire in entries if XATTRS_ID in wire]
    return below, content


def references(objects: Objects, kind: Kind, identity: ObjectId) -> list[Reference]:
    """What one object refers to directly. Raises ObjectMissing, BlockDamaged."""
    found: list[Reference] = []
    if kind == Kind.TREE:
        tree = parse_tree(objects.get(identity, Kind.TREE))
        if not isinstance(tree, TreePart):
            return [(Kind.TREE, part) for _, part in tree]
        for wire in tree.entries:
            for key, child in ((CHUNK, Kind.CHUNK), (LIST, Kind.LIST), (SUBTREE, Kind.TREE), (XATTRS_ID, Kind.XATTRS)):
                if key in wire:
                    found.append((child, wire[key]))
    elif kind == Kind.LIST:
        part = read_list(objects, identity)
        child = Kind.LIST if part.level else Kind.CHUNK
        found = [(child, entry) for entry in part.ids if entry != HOLE]
    return found


def closure(objects: Objects, root: ObjectId, visit: Callable[[ObjectId], bool]) -> Iterator[Reference]:
    """Everything reachable from a tree, the tree first. What `visit` says no to is passed over with all below it."""
    stack: list[Reference] = [(Kind.TREE, root)]
    while stack:
        kind, identity = stack.pop()
        if not visit(identity):
            continue
        yield kind, identity
        if kind in (Kind.TREE, Kind.LIST):
            stack.extend(reversed(references(objects, kind, identity)))


def closure_is_stored(objects: Objects, presence: Presence, root: ObjectId) -> bool:
    """Whether all that a tree refers to is there."""
    seen: set[ObjectId] = set()
    missing: list[ObjectId] = []

    def visit(identity: ObjectId) -> bool:
        if identity in seen:
            return False
        seen.add(identity)
        if not presence.has(identity):
            missing.append(identity)
        return not missing

    for _ in closure(objects, root, visit):
        if missing:
            break
    return not missing
