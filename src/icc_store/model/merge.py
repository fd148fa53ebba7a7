"""Two trees side by side: what stands at the same path in both, and where they differ.

Both are walked at once like two sorted lists, in the order of `walk`. What is equal on both sides is never read: a
directory with the same tree id is passed over whole, and of a large directory only the parts that the other side does
not have are opened. So comparing two snapshots of a large tree costs what changed between them, not what they hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from icc_store.errors import BlockDamaged
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TREE_LEVELS
from icc_store.model.entry import NAME, Wire, entry_from_wire
from icc_store.model.extent import PathBound, refuse_too_deep
from icc_store.model.paths import join
from icc_store.model.tree import Objects, Owners, TreePart, parse_tree, tree_parts
from icc_store.model.walk import Found


@dataclass(slots=True)
class Pair:
    """One path and what stands there on either side; None where there is nothing."""

    path: bytes
    left: Found | None
    right: Found | None


_Row = tuple[Wire, Owners]


def merge(
    objects: Objects, left: Found, right: Found, *, descend: Callable[[Pair], bool] | None = None
) -> Iterator[Pair]:
    """Every path below two directories, and themselves, at which their entries differ in anything.

    A directory comes before what it holds, also one whose entry differs only in what is below it. Where only one side
    has a directory, everything in it follows with None for the other side. A pair for which `descend` says no is not
    gone into. Raises ObjectMissing or BlockDamaged at what cannot be read or is too deep, EndlessTree.
    """
    top = Pair(left.path, left, right)
    if left.entry == right.entry and _same_owners(left.owners, right.owners):
        return
    yield top
    bound = PathBound(objects, left.entry.subtree, right.entry.subtree)
    levels = [_level(objects, top)] if descend is None or descend(top) else []
    while levels:
        pair = next(levels[-1], None)
        if pair is None:
            levels.pop()
            continue
        bound.met()
        yield pair
        if _subtree(pair.left) != _subtree(pair.right) and (descend is None or descend(pair)):
            refuse_too_deep(pair.path)
            levels.append(_level(objects, pair))


def _subtree(found: Found | None) -> ObjectId | None:
    return None if found is None else found.entry.subtree


def _level(objects: Objects, pair: Pair) -> Iterator[Pair]:
    """The names directly in two directories at which their entries differ."""
    parent = pair.path
    left, right = _rows(objects, _subtree(pair.left), _subtree(pair.right))
    one, two = next(left, None), next(right, None)
    while one is not None or two is not None:
        if two is None or (one is not None and one[0][NAME] < two[0][NAME]):
            yield _pair(parent, one, None)
            one = next(left, None)
        elif one is None or two[0][NAME] < one[0][NAME]:
            yield _pair(parent, None, two)
            two = next(right, None)
        else:
            # Compared as maps: most names of a part are as they were, and need no Entry.
            if one[0] != two[0] or not _same_owner(one, two):
                yield _pair(parent, one, two)
            one, two = next(left, None), next(right, None)


def _pair(parent: bytes, one: _Row | None, two: _Row | None) -> Pair:
    left = None if one is None else Found(join(parent, one[0][NAME]), entry_from_wire(one[0]), one[1])
    right = None if two is None else Found(join(parent, two[0][NAME]), entry_from_wire(two[0]), two[1])
    either = left or right
    return Pair(either.path if either else parent, left, right)


def _same_owner(one: _Row, two: _Row) -> bool:
    """Whether the numbers of equal entries mean the same names; a name that one side does not know says nothing."""
    if one[1] is two[1] or (one[1].users == two[1].users and one[1].groups == two[1].groups):
        return True
    entry = entry_from_wire(one[0])
    names = [
        (one[1].users.get(entry.uid), two[1].users.get(entry.uid)),
        (one[1].groups.get(entry.gid), two[1].groups.get(entry.gid)),
    ]
    return all(a == b or a is None or b is None for a, b in names)


def _same_owners(left: Owners, right: Owners) -> bool:
    return left.users == right.users and left.groups == right.groups


def _rows(objects: Objects, left: ObjectId | None, right: ObjectId | None) -> tuple[Iterator[_Row], Iterator[_Row]]:
    """The entries of two directories, without the parts that both have."""
    if left is None or right is None:
        return _all_rows(objects, left), _all_rows(objects, right)
    lefts, rights = _differing(objects, left, right)
    return _part_rows(objects, lefts), _part_rows(objects, rights)


def _all_rows(objects: Objects, tree: ObjectId | None) -> Iterator[_Row]:
    if tree is not None:
        for _, part in tree_parts(objects, tree):
            for wire in part.entries:
                yield wire, part.owners


def _part_rows(objects: Objects, parts: Sequence[ObjectId]) -> Iterator[_Row]:
    for identity in parts:
        yield from _all_rows(objects, identity)


def _differing(objects: Objects, left: ObjectId, right: ObjectId) -> tuple[list[ObjectId], list[ObjectId]]:
    """The parts of either tree that the other one does not have, in order.

    Nodes are opened level by level, and what both sides have is dropped before it is read.
    """
    lefts, rights = [left], [right]
    for _ in range(MAX_TREE_LEVELS + 1):
        common = set(lefts) & set(rights)
        lefts = [identity for identity in lefts if identity not in common]
        rights = [identity for identity in rights if identity not in common]
        below_left, below_right = _opened(objects, lefts), _opened(objects, rights)
        if below_left is None and below_right is None:
            return lefts, rights
        lefts = lefts if below_left is None else below_left
        rights = rights if below_right is None else below_right
    raise BlockDamaged(f"tree {left.hex()} has too many levels")


def _opened(objects: Objects, trees: Sequence[ObjectId]) -> list[ObjectId] | None:
    """The same trees with every node replaced by what it lists; None when there is no node."""
    opened: list[ObjectId] = []
    nodes = 0
    for identity in trees:
        parsed = parse_tree(objects.get(identity, Kind.TREE))
        if isinstance(parsed, TreePart):
            opened.append(identity)
        else:
            nodes += 1
            opened.extend(part for _, part in parsed)
    return opened if nodes else None
