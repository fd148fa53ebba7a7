"""Following one entity or file through the snapshots of a timeline.

In most snapshots it stands where it stood: only the directories on the way to it are read, and none twice. Where it no
longer stands there, the trees of the two neighbours are compared, so that only what changed between them is read, and
what came is looked at: first what has the same bytes, then what has the name, then whatever holds the id. It works in
either direction, so the way goes from the snapshot in which the entity was found to both ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from icc_store.entities.changes import compare
from icc_store.entities.profiles import Profile, RecordFormat
from icc_store.entities.record import Record
from icc_store.errors import DamageError
from icc_store.ids import ObjectId
from icc_store.limits import MAX_RECORD_FILE
from icc_store.model.entry import Entry
from icc_store.model.paths import parts
from icc_store.model.record import Snapshot
from icc_store.model.tree import Objects, find_entry
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.history_subject import Subject
from icc_store.operations.memory.stored_records import (
    TOO_LARGE,
    Reading,
    as_fields,
    as_lines,
    as_records,
    by_id,
    content_key,
    stored_bytes,
)
from icc_store.operations.memory.tree_newcomers import TreeNewcomers


@dataclass(frozen=True, slots=True)
class State:
    """The subject as it stands, with the same bytes at the same path, from one snapshot on."""

    snapshot: Snapshot
    path: bytes
    """Where it is; where it was, when it is not there."""
    entry: Entry | None
    """None when it is not there."""
    record: Record | None = None
    """What it says; None also where it cannot be read."""
    problem: str = ""
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class _Place:
    path: bytes
    entry: Entry


def trace(
    objects: Objects,
    snapshots: Sequence[Snapshot],
    subject: Subject,
    profile: Profile,
    *,
    lines: bool = False,
    monitor: Monitor = SILENT,
) -> list[State]:
    """The states of the subject, oldest first, from the snapshot in which it appeared. `lines`: read it as text.

    Contents are read once each. Raises DamageError when a directory cannot be read.
    """
    monitor.phase("follow")
    tracer = _Tracer(objects, subject, profile, lines=lines)
    there = _Place(subject.path, subject.entry)
    places: list[_Place | None] = [None] * len(snapshots)
    for direction in (range(subject.at, -1, -1), range(subject.at, len(snapshots))):
        near, place = snapshots[subject.at], there
        known: _Place | None = there
        for at in direction:
            known = tracer.follow(near, snapshots[at], known, place)
            near, place = snapshots[at], known or place
            places[at] = known
            monitor.advance(1, 0, place.path)
    return list(tracer.states(snapshots, places))


class _Tracer:
    def __init__(self, objects: Objects, subject: Subject, profile: Profile, *, lines: bool) -> None:
        self._objects = objects
        self._subject = subject
        self._profile = profile
        self._lines = lines
        self._newcomers = TreeNewcomers(objects)
        self._found: dict[tuple[ObjectId, bytes], Entry | None] = {}
        self._readings: dict[bytes, Reading] = {}

    # ---------------------------------------------------------------- where it is

    def follow(self, near: Snapshot, far: Snapshot, known: _Place | None, last: _Place) -> _Place | None:
        """Where the subject is in `far`, given where it is in its neighbour `near`, and where it was seen last."""
        if far.record.root == near.record.root:
            return known
        entry = self._lookup(far.record.root, last.path)
        if entry is not None and self._is_it(last, entry):
            return _Place(last.path, entry)
        return self._moved(near, far, last)

    def _lookup(self, root: ObjectId, path: bytes) -> Entry | None:
        """The file at a path. What stands below a tree is looked up once, however many snapshots have that tree."""
        tree: ObjectId | None = root
        entry: Entry | None = None
        for name in parts(path):
            if tree is None:
                return None
            key = tree, name
            if key not in self._found:
                inside = find_entry(self._objects, tree, name)
                self._found[key] = inside[0] if inside else None
            entry = self._found[key]
            tree = None if entry is None else entry.subtree
        return entry if entry is not None and entry.is_file else None

    def _is_it(self, last: _Place, entry: Entry) -> bool:
        """Whether the file at the same path is still the subject's, and not another entity's."""
        if self._subject.form is not RecordFormat.ENTITY or content_key(entry) == content_key(last.entry):
            return True
        return self._id_of(_Place(last.path, entry)) in ("", self._subject.id)

    def _moved(self, near: Snapshot, far: Snapshot, last: _Place) -> _Place | None:
        """Where it came to stand, among all the files that `near` does not have at the same path."""
        candidates = [
            _Place(path, entry)
            for path, entry in self._newcomers.between(near.record.root, far.record.root)
            if self._profile.record_format(path) is self._subject.form
        ]
        key = content_key(last.entry)
        name = last.path.rpartition(b"/")[2]
        for same in (
            lambda place: bool(key) and content_key(place.entry) == key,
            lambda place: place.path.rpartition(b"/")[2] == name and self._has_id(place),
            self._has_id,
        ):
            found = next(filter(same, candidates), None)
            if found is not None:
                return found
        return None

    def _has_id(self, place: _Place) -> bool:
        return self._subject.form is RecordFormat.ENTITY and self._id_of(place) == self._subject.id

    def _id_of(self, place: _Place) -> str:
        """The id that an entity's file says; empty when it cannot be read."""
        records = self._read(place).records
        return records[0].id if records else ""

    # ---------------------------------------------------------------- what it says

    def states(self, snapshots: Sequence[Snapshot], places: Sequence[_Place | None]) -> Iterator[State]:
        """Where the subject came, changed, moved or went."""
        last: State | None = None
        known: _Place | None = None
        for snapshot, place in zip(snapshots, places, strict=True):
            if place is None or (known is not None and _is_same(known, place)):
                if place is None and last is not None and last.entry is not None:
                    last = State(snapshot, last.path, None)
                    yield last
                known = place
                continue
            known = place
            state = self._state(snapshot, place)
            if state.entry is None and (last is None or last.entry is None):
                continue  # the file is there, the record in it is not
            if last is not None and self._says_the_same(last, state):
                continue
            yield state
            last = state

    def _state(self, snapshot: Snapshot, place: _Place) -> State:
        reading = self._as_text(place) if self._lines or not self._subject.id else self._read(place)
        if reading.problem:
            return State(snapshot, place.path, place.entry, None, reading.problem, reading.damaged)
        if self._subject.form is RecordFormat.JSON_LINES and self._subject.id and not self._lines:
            record = by_id(reading.records).get(self._subject.id)
            return State(snapshot, place.path, None if record is None else place.entry, record)
        return State(snapshot, place.path, place.entry, reading.records[0])

    def _says_the_same(self, before: State, after: State) -> bool:
        """Whether a line of a larger file is as it was, though the file is not."""
        if self._subject.form is not RecordFormat.JSON_LINES or before.path != after.path:
            return False
        both = before.record is not None and after.record is not None
        return both and not compare(before.record, after.record)

    def _as_text(self, place: _Place) -> Reading:
        read = as_lines if self._lines else as_fields
        return self._parsed(place, lambda data: read(place.path, data))

    def _read(self, place: _Place) -> Reading:
        """The records of a file; each content is read once."""
        key = content_key(place.entry)
        known = self._readings.get(key)
        if known is None:
            form = self._subject.form or RecordFormat.ENTITY
            known = self._parsed(place, lambda data: as_records(place.path, data, form))
            self._readings[key] = known
        return known

    def _parsed(self, place: _Place, parse: Callable[[bytes], Reading]) -> Reading:
        if place.entry.size > MAX_RECORD_FILE:
            return Reading(problem=TOO_LARGE)
        try:
            return parse(stored_bytes(self._objects, place.entry))
        except DamageError as error:
            return Reading(problem=f"damaged: {error.message}", damaged=True)


def _is_same(one: _Place, two: _Place) -> bool:
    return one.path == two.path and content_key(one.entry) == content_key(two.entry)
