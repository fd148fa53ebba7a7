"""What changed between two snapshots, path by path, and in which way.

The trees are merged, so that only what differs is read (model/merge.py). Changes come one at a time, in the order of
a listing: however many there are, they need no memory.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator

from icc_store.errors import PathNotInSnapshot
from icc_store.model.entry import Entry
from icc_store.model.merge import Pair, merge
from icc_store.model.paths import display
from icc_store.model.record import Snapshot, SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.tree import Objects
from icc_store.model.walk import Found, lookup, root_of
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.changes import EVERYTHING, Change, ChangeKind, DiffOptions, classify, side_of, text_of
from icc_store.operations.placement import Scope
from icc_store.operations.stored_content import same_content, stored_text
from icc_store.operations.text_diff import TextDiff


def diff(
    repository: Repository,
    snapshots: tuple[Snapshot, Snapshot],
    *,
    options: DiffOptions = EVERYTHING,
    monitor: Monitor = SILENT,
) -> Iterator[Change]:
    """What changed from the first snapshot to the second, in the order of a listing.

    Raises PathNotInSnapshot for a path that neither has, DamageError at what cannot be read.
    """
    objects = repository.objects
    left, right = (snapshot.record for snapshot in snapshots)
    for path in options.paths:
        if not (is_held(objects, left, path) or is_held(objects, right, path)):
            raise PathNotInSnapshot(f"neither snapshot holds {display(path)}", hint="see `icc-store ls`")
    scope = Scope(options.paths, (b"",))
    monitor.phase("compare")
    for pair in merge(objects, root_of(left), root_of(right), descend=lambda pair: scope.leads(pair.path)):
        made_up = not pair.path and (left.root_entry is None or right.root_entry is None)
        if made_up or not scope.takes(pair.path):
            continue
        change = _change(objects, pair, options)
        if change is not None:
            monitor.advance(1, 0, pair.path)
            yield change


def is_held(objects: Objects, record: SnapshotRecord, path: bytes) -> bool:
    """Whether a snapshot has a stored path."""
    try:
        lookup(objects, record, path)
    except PathNotInSnapshot:
        return False
    return True


def _change(objects: Objects, pair: Pair, options: DiffOptions) -> Change | None:
    """The change that a pair is; None for a directory of which only what is below differs."""
    before = pair.left.entry if pair.left else None
    after = pair.right.entry if pair.right else None
    what: tuple[str, ...] = ()
    if pair.left is not None and pair.right is not None and before is not None and after is not None:
        if stat.S_IFMT(before.mode) == stat.S_IFMT(after.mode):
            what = _differences(objects, pair.left, pair.right)
            if not what or (what == ("mtime",) and before.is_directory and not options.directory_times):
                return None
        kind = classify(before, after, what)
    else:
        kind = ChangeKind.REMOVED if after is None else ChangeKind.ADDED
    text = None
    if options.content and kind is not ChangeKind.METADATA:
        text = _text(objects, before, after)
    return Change(pair.path, kind, side_of(before) if before else None, side_of(after) if after else None, what, text)


def _differences(objects: Objects, left: Found, right: Found) -> tuple[str, ...]:
    """What differs between two entries of the same type, what is below a directory apart."""
    one, two = left.entry, right.entry
    found = []
    if not same_content(objects, one, two):
        found.append("content")
    if one.mode != two.mode:
        found.append("mode")
    if _owner(left, right) != _owner(right, left):
        found.append("owner")
    if one.mtime_ns != two.mtime_ns:
        found.append("mtime")
    if one.target != two.target:
        found.append("target")
    if one.device != two.device:
        found.append("device")
    if one.xattrs_id != two.xattrs_id or one.xattrs != two.xattrs:
        found.append("xattrs")
    if one.hard_link != two.hard_link:
        found.append("hard link")
    return tuple(found)


def _owner(found: Found, other: Found) -> tuple[int, int, str | None, str | None]:
    """Numbers and names of the owners; a name that the other side does not know says nothing."""
    entry, owners = found.entry, found.owners
    user = owners.users.get(entry.uid) if other.entry.uid in other.owners.users else None
    group = owners.groups.get(entry.gid) if other.entry.gid in other.owners.groups else None
    return entry.uid, entry.gid, user, group


def _text(objects: Objects, before: Entry | None, after: Entry | None) -> TextDiff | None:
    files = [entry for entry in (before, after) if entry is not None and entry.is_file]
    if not files:
        return None
    return text_of(stored_text(objects, before), stored_text(objects, after))
