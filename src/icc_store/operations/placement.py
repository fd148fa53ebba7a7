"""Where the stored paths of a snapshot live on this machine, and which of them the snapshot holds whole.

A snapshot of several paths (or of one file, or under `--as-path`) holds real directories on the way to what was named,
with nothing in them but that. Such a directory says nothing about what else is in it: `diff` does not look there and
`restore --delete` removes nothing from it.
"""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from icc_store.errors import PathNotInSnapshot, UsageError
from icc_store.model.paths import join, normalise, parts
from icc_store.model.record import SnapshotClass, SnapshotRecord
from icc_store.model.tree import Objects, tree_entries
from icc_store.model.walk import lookup
from icc_store.quick_dataclass import dataclass


@dataclass(frozen=True)
class Placement:
    """Stored paths of what the snapshot holds whole, and the live directory that its root stands for.

    `root` is None where the snapshot does not say: of an archive, or under another path than its own.
    """

    whole: tuple[bytes, ...]
    root: Path | None


def placement_of(objects: Objects, record: SnapshotRecord) -> Placement:
    """Where a snapshot belongs. Raises DamageError when its root cannot be read."""
    if record.root_entry is not None:
        return Placement((b"",), Path(os.fsdecode(record.paths[0])) if len(record.paths) == 1 else None)
    if record.kind is SnapshotClass.IMPORT:
        return Placement((b"",), None)
    prefix = _made_up(objects, record)
    if len(record.paths) > 1:
        stored = [join(prefix, normalise(path)) for path in record.paths]
        whole = tuple(path for path in stored if _holds(objects, record, path))
        return Placement(whole, None if prefix else Path("/"))
    below = lookup(objects, record, prefix).entry.subtree
    names = [] if below is None else [entry.name for entry, _ in tree_entries(objects, below)]
    whole = tuple(join(prefix, name) for name in names)
    if len(record.paths) == 1 and whole == (os.path.basename(record.paths[0]),):
        return Placement(whole, Path(os.fsdecode(os.path.dirname(record.paths[0]))))
    return Placement(whole, None)


def live_root(objects: Objects, record: SnapshotRecord) -> Path:
    """The live directory that the snapshot's root stands for. Raises UsageError where there is none."""
    root = placement_of(objects, record).root
    if root is None:
        raise UsageError("this snapshot does not belong to a directory of this machine", hint="name one with --target")
    return root


def _made_up(objects: Objects, record: SnapshotRecord) -> bytes:
    """The stored directories that `--as-path` put above everything: they never had a time of their own."""
    path, tree = b"", record.root
    while True:
        first = [entry for entry, _ in islice(tree_entries(objects, tree), 2)]
        if len(first) != 1 or first[0].subtree is None or first[0].mtime_ns:
            return path
        path, tree = join(path, first[0].name), first[0].subtree


def _holds(objects: Objects, record: SnapshotRecord, path: bytes) -> bool:
    try:
        lookup(objects, record, path)
    except PathNotInSnapshot:
        return False
    return True


class Scope:
    """The part of a snapshot that an operation is about: some stored paths, and what is on the way to them."""

    def __init__(self, chosen: tuple[bytes, ...], whole: tuple[bytes, ...]) -> None:
        """`chosen` are stored paths that were asked for (none: all), `whole` those the snapshot holds whole."""
        self._chosen = _Paths(chosen or (b"",))
        self._whole = _Paths(whole)
        self.is_everything = not chosen or b"" in chosen

    def takes(self, path: bytes) -> bool:
        """Whether a path was asked for, itself or with a directory above it."""
        return self._chosen.covers(path)

    def leads(self, path: bytes) -> bool:
        """Whether a directory holds something that was asked for, or was asked for."""
        return self._chosen.leads(path)

    def is_whole(self, path: bytes) -> bool:
        """Whether the snapshot holds all that was at a path and below it."""
        return self._whole.covers(path)

    def owns(self, path: bytes) -> bool:
        """Whether all that belongs into a directory was asked for and is in the snapshot."""
        return self._chosen.covers(path) and self._whole.covers(path)


class _Paths:
    """Stored paths, asked for what is below and above them."""

    def __init__(self, paths: tuple[bytes, ...]) -> None:
        self._paths = frozenset(paths)
        self._above = frozenset(b"/".join(names[:depth]) for names in map(parts, paths) for depth in range(len(names)))

    def covers(self, path: bytes) -> bool:
        if b"" in self._paths or path in self._paths:
            return True
        while path:
            path = path.rpartition(b"/")[0]
            if path in self._paths:
                return True
        return False

    def leads(self, path: bytes) -> bool:
        return path in self._above or self.covers(path)
