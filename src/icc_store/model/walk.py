"""Walking a snapshot: every path once, a directory before what it holds, names in byte order.

That order is the order of paths compared name by name, so two walks can be merged like two sorted lists.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from icc_store.errors import BlockDamaged, DamageError, PathNotInSnapshot
from icc_store.ids import ObjectId
from icc_store.model.entry import Entry, entry_from_wire
from icc_store.model.extent import PathBound, refuse_too_deep
from icc_store.model.paths import display, join, parts
from icc_store.model.record import SnapshotRecord
from icc_store.model.tree import Objects, Owners, find_entry, owner_names, tree_entries

_ROOT_MODE = stat.S_IFDIR | 0o755


@dataclass(slots=True)
class Found:
    """One path of a snapshot. `owners` has the names of its user and group, as far as they were known."""

    path: bytes
    entry: Entry
    owners: Owners


def root_of(record: SnapshotRecord) -> Found:
    """The snapshot's root directory, with the metadata of the directory that was backed up where there is one."""
    owners = Owners()
    if record.root_entry is not None:
        wire = dict(record.root_entry)
        names = wire.pop(0, None)
        if names:
            owners = _owners(names)
        entry = entry_from_wire(wire | {9: record.root})
    else:
        entry = Entry(b"", _ROOT_MODE, mtime_ns=record.time_ns, subtree=record.root)
    return Found(b"", entry, owners)


def _owners(names: Any) -> Owners:
    try:
        users, groups = names
        return Owners(owner_names(users), owner_names(groups))
    except (ValueError, TypeError) as error:
        raise BlockDamaged(f"the owners of a snapshot's root cannot be understood: {error}") from error


def lookup(objects: Objects, record: SnapshotRecord, path: bytes) -> Found:
    """What stands at a stored path. Raises PathNotInSnapshot."""
    found = root_of(record)
    for name in parts(path):
        inside = find_entry(objects, found.entry.subtree, name) if found.entry.subtree else None
        if inside is None:
            raise PathNotInSnapshot(
                f"{display(path)} is not in the snapshot: {display(join(found.path, name))} does not exist there",
                hint="see `icc-store ls`",
            )
        found = Found(join(found.path, name), *inside)
    return found


def walk(
    objects: Objects,
    start: Found,
    *,
    descend: Callable[[Found], bool] | None = None,
    failed: Callable[[Found, DamageError], None] | None = None,
) -> Iterator[Found]:
    """`start` and everything below it. A directory for which `descend` says no is yielded, but not entered.

    Raises ObjectMissing or BlockDamaged at the directory that cannot be read or is too deep; with `failed`, tells that
    and goes on. Raises EndlessTree.
    """
    yield start
    bound = PathBound(objects, start.entry.subtree)
    levels = []
    if start.entry.subtree is not None and (descend is None or descend(start)):
        levels.append((start, _level(objects, start)))
    while levels:
        try:
            found = next(levels[-1][1], None)
        except DamageError as error:
            if failed is None:
                raise
            failed(levels[-1][0], error)
            found = None
        if found is None:
            levels.pop()
            continue
        bound.met()
        yield found
        if found.entry.subtree is not None and (descend is None or descend(found)):
            levels.append((found, _level(objects, found)))


def _level(objects: Objects, directory: Found) -> Iterator[Found]:
    tree: ObjectId | None = directory.entry.subtree
    if tree is not None:
        refuse_too_deep(directory.path)
        for entry, owners in tree_entries(objects, tree):
            yield Found(join(directory.path, entry.name), entry, owners)
