"""In which order a repository is written anew: all versions of one file together, newest first, directory by directory.

The trees of all snapshots are walked at once. A directory is the list of its versions; each name in it is the list of
what it has been. So only one directory with its parents is in memory, however many snapshots there are. Content comes
before the trees that name it, as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from icc_store.ids import Kind, ObjectId
from icc_store.model.content import HOLE, read_list
from icc_store.model.entry import CHUNK, LIST, NAME, SUBTREE, XATTRS_ID
from icc_store.model.tree import Objects, TreePart, parse_tree


@dataclass(frozen=True, slots=True)
class Family:
    """Objects that resemble each other, because one became the other: newest first."""

    kind: Kind
    members: tuple[ObjectId, ...]


@dataclass(slots=True)
class _Versions:
    """What one name of a directory has been, newest first; an id may come more than once."""

    chunks: list[ObjectId] = field(default_factory=list)
    lists: list[ObjectId] = field(default_factory=list)
    trees: list[ObjectId] = field(default_factory=list)
    xattrs: list[ObjectId] = field(default_factory=list)


_Step = Family | list[ObjectId]
"""Something to write, or a directory to go into."""


class Order:
    """One walk through the histories of all sources."""

    def __init__(self, objects: Objects, is_done: Callable[[ObjectId], bool]) -> None:
        """`is_done` says of an object that it was written already; what is below such a tree was too."""
        self._objects = objects
        self._is_done = is_done

    def families(self, histories: Iterable[Sequence[ObjectId]]) -> Iterator[Family]:
        """All that these roots need and that is not done. Each history is one source's roots, newest first.

        Raises DamageError when something that is needed cannot be read.
        """
        for roots in histories:
            stack = [self._directory(roots)]
            while stack:
                step = next(stack[-1], None)
                if step is None:
                    stack.pop()
                elif isinstance(step, Family):
                    yield step
                else:
                    stack.append(self._directory(step))

    def _fresh(self, identities: Iterable[ObjectId]) -> tuple[ObjectId, ...]:
        return tuple(identity for identity in dict.fromkeys(identities) if not self._is_done(identity))

    def _directory(self, versions: Sequence[ObjectId]) -> Iterator[_Step]:
        names: dict[bytes, _Versions] = {}
        parts: dict[bytes, list[ObjectId]] = {}
        ends: dict[bytes, bytes] = {}
        nodes: list[ObjectId] = []
        waiting = [(identity, b"") for identity in reversed(self._fresh(versions))]
        while waiting:
            identity, first = waiting.pop()
            tree = parse_tree(self._objects.get(identity, Kind.TREE))
            if not isinstance(tree, TreePart):
                nodes.append(identity)
                waiting += [(part, name) for name, part in reversed(tree) if not self._is_done(part)]
                continue
            parts.setdefault(first, []).append(identity)
            if tree.entries:
                ends[first] = max(ends.get(first, b""), tree.entries[-1][NAME])
            _gather(tree, names)
        for versions_of_one in names.values():
            if versions_of_one.trees:
                yield versions_of_one.trees
        order = sorted(parts, key=lambda first: ends.get(first, b""))
        at = 0
        for name in sorted(names):
            while at < len(order) and ends.get(order[at], b"") < name:
                yield from self._family(Kind.TREE, parts[order[at]])
                at += 1
            yield from self._contents(names[name])
        for first in order[at:]:
            yield from self._family(Kind.TREE, parts[first])
        yield from self._family(Kind.TREE, nodes)

    def _contents(self, versions: _Versions) -> Iterator[Family]:
        yield from self._family(Kind.CHUNK, versions.chunks)
        yield from self._large(versions.lists)
        yield from self._family(Kind.XATTRS, versions.xattrs)

    def _family(self, kind: Kind, members: Sequence[ObjectId]) -> Iterator[Family]:
        fresh = self._fresh(members)
        if fresh:
            yield Family(kind, fresh)

    def _large(self, lists: Sequence[ObjectId]) -> Iterator[Family]:
        """The chunks of a large file by their places in it, and its lists.

        Lists of lists are left as they are, with all below them: such a file has a hundred megabytes and more, its
        chunks stand in frames of their own size, and what changed in it is a delta already.
        """
        short, sequences = [], []
        for identity in self._fresh(lists):
            part = read_list(self._objects, identity)
            if part.level == 0:
                short.append(identity)
                sequences.append([chunk for chunk in part.ids if chunk != HOLE])
        for members in align(sequences):
            yield from self._family(Kind.CHUNK, members)
        yield from self._family(Kind.LIST, short)


def _gather(tree: TreePart, names: dict[bytes, _Versions]) -> None:
    for wire in tree.entries:
        versions = names.get(wire[NAME])
        if versions is None:
            versions = names[wire[NAME]] = _Versions()
        if CHUNK in wire:
            versions.chunks.append(wire[CHUNK])
        if LIST in wire:
            versions.lists.append(wire[LIST])
        if SUBTREE in wire:
            versions.trees.append(wire[SUBTREE])
        if XATTRS_ID in wire:
            versions.xattrs.append(wire[XATTRS_ID])


def align(sequences: Sequence[Sequence[ObjectId]]) -> list[list[ObjectId]]:
    """The chunks of several versions of one file, those together that stood at the same place.

    A chunk that the version before has not known belongs to the one that follows the chunk before it there.
    """
    families: list[list[ObjectId]] = []
    places: dict[ObjectId, int] = {}
    for sequence in sequences:
        at = -1
        newest = not families
        for chunk in sequence:
            if chunk in places:
                at = places[chunk]
                continue
            at += 1
            if newest or at >= len(families):
                at = len(families)
                families.append([])
            families[at].append(chunk)
            places[chunk] = at
    return families
