"""How far a tree reaches: an end for whoever visits every path of it, in number and in depth.

Equal directories are one object, so forty small trees, each holding the next one twice, stand for 2^40 files. Nobody
has those; whoever goes by paths would go on for years. So a walk counts, and once it has met a quarter of a million,
all are counted: that takes no longer than reading every tree once.
"""

from __future__ import annotations

from icc_store.errors import BlockDamaged, DamageError, EndlessTree
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_PATHS, MAX_TREE_DEPTH
from icc_store.model.entry import SUBTREE
from icc_store.model.tree import Objects, TreePart, parse_tree

_UNCOUNTED = 1 << 18
"""Paths that may be met before all of them are counted: most snapshots have fewer, and are read only once."""


def refuse_too_deep(path: bytes) -> None:
    """Raise BlockDamaged for a directory that is deeper than those that are followed."""
    if path.count(b"/") + 1 >= MAX_TREE_DEPTH:
        raise BlockDamaged(f"a directory is deeper than the {MAX_TREE_DEPTH:,} that are followed")


class PathBound:
    """Counts the paths that a walk meets below some trees."""

    def __init__(self, objects: Objects, *roots: ObjectId | None) -> None:
        self._objects = objects
        self._roots = roots
        self._left = _UNCOUNTED

    def met(self, number: int = 1) -> None:
        """Say that so many more were met. Raises EndlessTree where there are more than anybody can have."""
        self._left -= number
        if self._left < 0:
            paths = PathCounts(self._objects)
            if sum(paths.below(root) for root in self._roots if root is not None) > MAX_PATHS:
                raise EndlessTree(
                    f"there are more than {MAX_PATHS:,} paths below it: no snapshot of files holds that",
                    hint="run `icc-store verify`",
                )
            self._left = MAX_PATHS


class PathCounts:
    """Counts paths below trees; every tree is read once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[ObjectId, int] = {}

    def below(self, tree: ObjectId) -> int:
        """How many paths there are in a directory and below. What cannot be read counts nothing."""
        waiting = [tree]
        opened: dict[ObjectId, tuple[int, list[ObjectId]]] = {}
        while waiting:
            top = waiting[-1]
            if top in self._known:
                waiting.pop()
                continue
            if top not in opened:
                opened[top] = self._inside(top)
                missing = [one for one in opened[top][1] if one not in self._known]
                if missing:
                    waiting += missing
                    continue
            own, inside = opened.pop(top)
            self._known[top] = min(own + sum(self._known[one] for one in inside), MAX_PATHS + 1)
        return self._known[tree]

    def _inside(self, tree: ObjectId) -> tuple[int, list[ObjectId]]:
        """The names right in a tree, and the trees in it."""
        try:
            parsed = parse_tree(self._objects.get(tree, Kind.TREE))
        except DamageError:
            return 0, []
        if not isinstance(parsed, TreePart):
            return 0, [part for _, part in parsed]
        return len(parsed.entries), [wire[SUBTREE] for wire in parsed.entries if SUBTREE in wire]
