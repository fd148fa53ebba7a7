"""What changed in a memory since a snapshot: its entities against those in the directory it was taken of."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from icc_store.codec.hashing import chunk_id
from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.errors import PathNotInSnapshot
from icc_store.fs.file_reader import FileReader
from icc_store.limits import MAX_RECORD_FILE
from icc_store.model.entry import Entry
from icc_store.model.record import Snapshot, SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.tree import Objects, tree_entries
from icc_store.model.walk import lookup
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.changes import EVERYTHING, Change, ChangeKind, DiffOptions
from icc_store.operations.diff_live import diff_live
from icc_store.operations.memory.entity_diff import Contents, EntityDiff, FilePair, pair_up, stored_contents
from icc_store.operations.memory.manifest import profile_of
from icc_store.operations.memory.stored_records import TOO_LARGE, Reading, as_records
from icc_store.operations.placement import live_root

_GROWTH = 4096
"""Bytes by which a file may have grown since it was listed."""


def entity_diff_live(
    repository: Repository,
    snapshot: Snapshot,
    *,
    options: DiffOptions = EVERYTHING,
    monitor: Monitor = SILENT,
) -> EntityDiff:
    """What changed in the memory since the snapshot. Of the options, `paths` and `content_check` count.

    Raises what `diff_live` raises. An entity that cannot be read is listed with the reason.
    """
    root = live_root(repository.objects, snapshot.record)
    changes = diff_live(repository, snapshot, options=options, monitor=monitor)
    first = next(changes, None)
    if first is None:
        return EntityDiff(())
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        pairs = _Pairs(repository.objects, snapshot.record, profile_of(repository, snapshot), fd)
        return pair_up(pair for change in _chained(first, changes) for pair in pairs.of(change))
    finally:
        os.close(fd)


def _chained(first: Change, others: Iterator[Change]) -> Iterator[Change]:
    yield first
    yield from others


class _Pairs:
    """Files of a memory that changed, as they are stored and as they are there."""

    def __init__(self, objects: Objects, record: SnapshotRecord, profile: Profile, root_fd: int) -> None:
        self._objects = objects
        self._record = record
        self._profile = profile
        self._root_fd = root_fd
        self._reader = FileReader()
        self._directory: tuple[bytes, dict[bytes, Entry]] | None = None

    def of(self, change: Change) -> Iterator[FilePair]:
        """The pair of files that a change is about, if it is about files that hold records."""
        form = self._profile.record_format(change.path)
        if form is None or change.kind is ChangeKind.METADATA:
            return
        entry = self._stored(change.path)
        before = stored_contents(self._objects, change.path, entry, form)
        after = None
        if change.kind is ChangeKind.UNREADABLE:
            after = Contents(None, lambda: Reading(problem=f"cannot be read: {', '.join(change.what)}"))
        elif change.after is not None and stat.S_ISREG(change.after.mode):
            after = self._live(change.path, change.after.size, form)
        if before is not None or after is not None:
            yield FilePair(change.path, form, before, after)

    def _stored(self, path: bytes) -> Entry | None:
        """The file at a path of the snapshot. Changes come directory by directory, so one of them is kept."""
        parent, _, name = path.rpartition(b"/")
        if self._directory is None or self._directory[0] != parent:
            self._directory = parent, self._files(parent)
        return self._directory[1].get(name)

    def _files(self, parent: bytes) -> dict[bytes, Entry]:
        try:
            tree = lookup(self._objects, self._record, parent).entry.subtree
        except PathNotInSnapshot:
            return {}
        found = () if tree is None else tree_entries(self._objects, tree)
        return {entry.name: entry for entry, _ in found if entry.is_file}

    def _live(self, path: bytes, size: int, form: RecordFormat) -> Contents:
        """A file as it is there. It is read for its key, and again by whoever asks for its records."""
        if size > MAX_RECORD_FILE:
            return Contents(None, lambda: Reading(problem=TOO_LARGE))
        try:
            key = chunk_id(self._read(path, size))
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
            return Contents(None, lambda: Reading(problem=problem))

        def read() -> Reading:
            try:
                return as_records(path, self._read(path, size), form)
            except OSError as error:
                return Reading(problem=f"cannot be read: {error.strerror}")

        return Contents(key, read)

    def _read(self, path: bytes, size: int) -> bytes:
        return self._reader.read_small(self._root_fd, path, size + _GROWTH)[0]
