"""Searching the trees of many snapshots, each of them once.

What is found below a directory depends on nothing but its tree and what the searcher knows on arriving there, here
called its state. So both together are searched once, however many snapshots and paths lead there, and unchanged
directories of a long history cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TREE_DEPTH
from icc_store.model.entry import NAME, SUBTREE, Wire
from icc_store.model.extent import PathBound
from icc_store.model.paths import join
from icc_store.model.tree import Objects, TreePart, parse_tree

State = TypeVar("State")
Match = TypeVar("Match")

Look = Callable[[Wire, State], tuple[State | None, Match | None]]
"""Looks at one entry of a directory: the state to go on with below it, if it is to be gone into, and what it is."""


class TreesOnce:
    """Reads each tree once and keeps its bytes: for whoever goes the same way through many snapshots."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._trees: dict[ObjectId, bytes] = {}

    def get(self, identity: ObjectId, kind: int) -> bytes:
        """The bytes of an object."""
        if kind != Kind.TREE:
            return self._objects.get(identity, kind)
        known = self._trees.get(identity)
        if known is None:
            known = self._trees[identity] = self._objects.get(identity, kind)
        return known


class _Level(Generic[State, Match]):
    """A tree that is being searched: what matches so far, and what is below it and not searched yet."""

    def __init__(self, key: tuple[ObjectId, State]) -> None:
        self.key = key
        self.matches: list[tuple[bytes, Match]] = []
        self.below: list[tuple[bytes, tuple[ObjectId, State]]] = []
        """Name (empty for a part of the same directory) and key of what is to be searched, the next one last."""


class TreeSearch(Generic[State, Match]):
    """Searches trees and remembers the result for each. Not recursive: paths may be very long."""

    def __init__(self, objects: Objects, look: Look[State, Match]) -> None:
        self._objects = objects
        self._look = look
        self._known: dict[tuple[ObjectId, State], tuple[tuple[bytes, Match], ...]] = {}
        self.damaged: list[tuple[bytes, str]] = []
        """Directories that could not be read, with the reason."""

    def tree(self, root: ObjectId, state: State) -> tuple[tuple[bytes, Match], ...]:
        """What matches below this root, each with its path from there. Directories are gone into in order.

        Raises EndlessTree.
        """
        bound = PathBound(self._objects, root)
        top = (root, state)
        levels = [] if top in self._known else [self._open(top, [])]
        while levels:
            level = levels[-1]
            if not level.below:
                self._known[level.key] = tuple(level.matches)
                levels.pop()
                continue
            name, key = level.below[-1]
            known = self._known.get(key)
            if known is None:
                levels.append(self._open(key, levels))
                continue
            level.below.pop()
            bound.met(len(known))
            level.matches += [(name + b"/" + path, match) for path, match in known] if name else known
        return self._known[top]

    def _open(self, key: tuple[ObjectId, State], above: list[_Level[State, Match]]) -> _Level[State, Match]:
        tree, state = key
        level: _Level[State, Match] = _Level(key)
        try:
            if len(above) > 2 * MAX_TREE_DEPTH:
                raise DamageError("it is deeper than any directory can be")
            parsed = parse_tree(self._objects.get(tree, Kind.TREE))
            if isinstance(parsed, TreePart):
                for wire in parsed.entries:
                    onwards, match = self._look(wire, state)
                    if match is not None:
                        level.matches.append((wire[NAME], match))
                    if onwards is not None and SUBTREE in wire:
                        level.below.append((wire[NAME], (wire[SUBTREE], onwards)))
            else:
                level.below = [(b"", (part, state)) for _, part in parsed]
            level.below.reverse()
        except DamageError as error:
            path = b""
            for one in above:
                path = join(path, one.below[-1][0]) if one.below[-1][0] else path
            self.damaged.append((path, error.message))
        return level
