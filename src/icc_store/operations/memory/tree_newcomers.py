"""Files that came from one tree to another: names that the one has and the other does not have at the same path.

Of each directory that differs only the names are kept, so that a long walk from snapshot to snapshot reads each tree
once: merging each pair of neighbours (model/merge.py) would read it for either, and make entries of all that changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from icc_store.ids import ObjectId
from icc_store.model.entry import NAME, SUBTREE, Entry
from icc_store.model.extent import PathBound, refuse_too_deep
from icc_store.model.paths import join
from icc_store.model.tree import Objects, find_entry, tree_parts


@dataclass(frozen=True, slots=True)
class _Names:
    """What is directly in a directory."""

    files: frozenset[bytes]
    """Everything but directories."""
    directories: dict[bytes, ObjectId]


_NOTHING = _Names(frozenset(), {})


class TreeNewcomers:
    """Compares trees of the same history with each other, one pair after the other."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[ObjectId, _Names] = {}
        self._names: dict[bytes, bytes] = {}
        """Every name once: most stand in many versions of their directory."""

    def between(self, before: ObjectId, after: ObjectId) -> Iterator[tuple[bytes, Entry]]:
        """Path and entry of each file below `after` that `before` has not.

        Raises ObjectMissing, BlockDamaged, EndlessTree.
        """
        bound = PathBound(self._objects, after)
        waiting: list[tuple[bytes, ObjectId | None, ObjectId]] = [(b"", before, after)]
        while waiting:
            path, old, new = waiting.pop()
            if old == new:
                continue
            refuse_too_deep(path)
            bound.met()
            left, right = self._listing(old), self._listing(new)
            for name in sorted(right.files - left.files):
                found = find_entry(self._objects, new, name)
                if found is not None and found[0].is_file:
                    yield join(path, name), found[0]
            waiting += [
                (join(path, name), left.directories.get(name), tree) for name, tree in right.directories.items()
            ]

    def _listing(self, tree: ObjectId | None) -> _Names:
        if tree is None:
            return _NOTHING
        known = self._known.get(tree)
        if known is None:
            files: list[bytes] = []
            directories: dict[bytes, ObjectId] = {}
            for _, part in tree_parts(self._objects, tree):
                for wire in part.entries:
                    name = self._names.setdefault(wire[NAME], wire[NAME])
                    if SUBTREE in wire:
                        directories[name] = wire[SUBTREE]
                    else:
                        files.append(name)
            known = self._known[tree] = _Names(frozenset(files), directories)
        return known
