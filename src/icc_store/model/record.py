"""Snapshot records and annotations, as values and as bytes (docs/format.md, *Records*).

A snapshot record never changes. What may change about a snapshot (tags, note, pin, forgotten, suspect, verified) are
annotations, each a small record of its own; the newest word on a subject counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, TypeVar

from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import ID_SIZE, ObjectId
from icc_store.model.entry import with_storable_time
from icc_store.quick_dataclass import dataclass, field


class SnapshotClass(StrEnum):
    """What a snapshot is for. `latest`, parents and retention look at full ones."""

    FULL = "full"
    SELECTIVE = "selective"
    SAFETY = "safety"
    IMPORT = "import"


class Subject(StrEnum):
    """What an annotation is about."""

    TAG = "tag"
    UNTAG = "untag"
    NOTE = "note"
    PIN = "pin"
    FORGOTTEN = "forgotten"
    SUSPECT = "suspect"
    VERIFIED = "verified"
    DRILLED = "drilled"
    """A drill restored it: true when all of it came back, else a text that says what did not."""
    MANIFEST = "manifest"
    """The manifest of a memory, made after its snapshot; the value is JSON."""


PURGE = "purge"
"""Value of FORGOTTEN for a snapshot that gc may remove at once; `True` leaves it the time to be undeleted."""


@dataclass(frozen=True)
class Counters:
    """What a run saw and added. Sizes are bytes, `duration_ns` is ns."""

    files: int = 0
    directories: int = 0
    others: int = 0
    size: int = 0
    """Bytes of all regular files, under each of their names."""
    new_files: int = 0
    changed_files: int = 0
    unchanged_files: int = 0
    read_bytes: int = 0
    added_plain: int = 0
    """Plain bytes of objects that were not stored before."""
    added_stored: int = 0
    """Bytes those objects take in blocks."""
    duration_ns: int = 0


@dataclass(frozen=True)
class SnapshotRecord:
    """One snapshot. Times are ns since 1970 UTC."""

    seq: int
    time_ns: int
    root: ObjectId
    """The tree of everything in it."""
    source: str
    host: str
    kind: SnapshotClass = SnapshotClass.FULL
    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    parent: ObjectId | None = None
    paths: tuple[bytes, ...] = ()
    """What was backed up, absolute. One path: its contents stand at the root; several: under their stored paths."""
    root_entry: dict[int, Any] | None = None
    """Metadata of the directory at the root, as an entry, when one directory was backed up."""
    exclusions: dict[str, Any] = field(default_factory=dict)
    counters: Counters = Counters()
    warnings: tuple[tuple[bytes, str], ...] = ()
    program: str = ""
    manifest: dict[str, Any] | None = None
    """What a profile wants to keep about the snapshot; opaque here."""
    annotations_before: int = 0
    """The last number of an annotation when it was committed; those about this snapshot have higher ones."""
    kept: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Annotation:
    """One changeable fact about a snapshot. `seq` orders annotations; the newest of a subject counts."""

    snapshot: ObjectId
    subject: str
    """A Subject, or one of a newer program, which is kept and says nothing here."""
    value: str | int | bool
    time_ns: int
    seq: int


@dataclass(frozen=True)
class Snapshot:
    """A snapshot record under its id, with what its annotations say now."""

    id: ObjectId
    record: SnapshotRecord
    tags: tuple[str, ...] = ()
    note: str = ""
    pinned: bool = False
    forgotten_ns: int | None = None
    """When it was forgotten; None while it counts, 0 when it was purged: gc need not wait."""
    suspect: str = ""
    verified_ns: int | None = None
    drilled_ns: int | None = None
    """When a drill restored it last, whatever came of it."""
    drill_failure: str = ""
    """What that drill found wrong."""
    annotations: tuple[Annotation, ...] = ()


_RECORD_KEYS = {
    "seq": 1, "time_ns": 2, "root": 3, "source": 4, "host": 5, "kind": 6, "name": 7, "tags": 8, "note": 9,
    "parent": 10, "paths": 11, "root_entry": 12, "exclusions": 13, "counters": 14, "warnings": 15, "program": 16,
    "manifest": 17, "annotations_before": 128,
}  # fmt: skip
_RECORD_TYPES = {
    "seq": int, "time_ns": int, "root": bytes, "source": str, "host": str, "kind": str, "name": str, "tags": list,
    "note": str, "parent": bytes, "paths": list, "root_entry": dict, "exclusions": dict, "counters": list,
    "warnings": list, "program": str, "manifest": dict, "annotations_before": int,
}  # fmt: skip
_ANNOTATION_KEYS = range(1, 6)
_T = TypeVar("_T")
_COUNTER_NAMES = tuple(Counters.__dataclass_fields__)
_FIRST_KEPT_KEY = 128
_LAST_NUMBER = (1 << 63) - 1
"""Leaves room for numbers to come, whatever an enemy writes into a record."""


def pack_record(record: SnapshotRecord) -> bytes:
    """The bytes of a record; fields that say nothing are left out."""
    wire: dict[int, Any] = {}
    for name, key in _RECORD_KEYS.items():
        value = getattr(record, name)
        if name == "counters":
            value = [getattr(value, counter) for counter in _COUNTER_NAMES]
        if value is None or value in ("", (), {}) or (name == "annotations_before" and not value):
            continue
        wire[key] = str(value) if name == "kind" else value
    if record.root_entry is not None:
        wire[_RECORD_KEYS["root_entry"]] = with_storable_time(record.root_entry)
    wire.update(sorted(record.kept.items()))
    return pack(wire)


def unpack_record(data: bytes) -> SnapshotRecord:
    """The record in `data`. Raises BlockDamaged when it cannot be understood."""
    try:
        wire = unpack(data)
        names = {key: name for name, key in _RECORD_KEYS.items()}
        kept = {key: value for key, value in wire.items() if key >= _FIRST_KEPT_KEY and key not in names}
        fields: dict[str, Any] = {names[key]: value for key, value in wire.items() if key not in kept}
        for name, kind in _RECORD_TYPES.items():
            if name in fields and type(fields[name]) is not kind:
                raise ValueError(f"its field {name} is not what it should be")
        fields["kind"] = SnapshotClass(fields["kind"])
        fields["counters"] = Counters(*_each(int, fields["counters"])[: len(_COUNTER_NAMES)])
        fields["tags"] = _each(str, fields.get("tags", ()))
        fields["paths"] = _each(bytes, fields.get("paths", ()))
        fields["warnings"] = tuple((_one(bytes, path), _one(str, text)) for path, text in fields.get("warnings", ()))
        for name in ("root", "parent"):
            if name in fields and len(fields[name]) != ID_SIZE:
                raise ValueError(f"its {name} is not an id")
        if not 0 <= fields.get("annotations_before", 0) <= _LAST_NUMBER:
            raise ValueError("the number of an annotation is impossible")
        return SnapshotRecord(**({"source": "", "host": ""} | fields), kept=kept)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BlockDamaged(f"a snapshot record cannot be understood: {error}") from error


def _one(kind: type[_T], value: object) -> _T:
    if type(value) is not kind:
        raise ValueError(f"a {kind.__name__} is none")
    return value


def _each(kind: type[_T], values: Iterable[object]) -> tuple[_T, ...]:
    return tuple(_one(kind, value) for value in values)


def pack_annotation(annotation: Annotation) -> bytes:
    """The bytes of an annotation."""
    return pack(
        {
            1: annotation.snapshot,
            2: str(annotation.subject),
            3: annotation.value,
            4: annotation.time_ns,
            5: annotation.seq,
        }
    )


def unpack_annotation(data: bytes) -> Annotation:
    """The annotation in `data`. Raises BlockDamaged when it cannot be understood."""
    try:
        wire = unpack(data)
        unknown = [key for key in wire if key not in _ANNOTATION_KEYS and key < _FIRST_KEPT_KEY]
        snapshot, subject, value = _one(bytes, wire[1]), _one(str, wire[2]), wire[3]
        if unknown or len(snapshot) != ID_SIZE or type(value) not in (str, int, bool):
            raise ValueError("it is about nothing, or says nothing")
        return Annotation(ObjectId(snapshot), subject, value, _one(int, wire[4]), _one(int, wire[5]))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise BlockDamaged(f"an annotation cannot be understood: {error}") from error


def combine(identity: ObjectId, record: SnapshotRecord, annotations: Iterable[Annotation]) -> Snapshot:
    """The snapshot as it stands now: the record, then every annotation in order."""
    ordered = tuple(sorted(annotations, key=lambda annotation: annotation.seq))
    tags = dict.fromkeys(record.tags)  # in order, and no search for each: there may be a million of them
    state: dict[str, Any] = {"note": record.note}
    for annotation in ordered:
        value = annotation.value
        match annotation.subject:
            case Subject.TAG:
                tags[str(value)] = None
            case Subject.UNTAG:
                tags.pop(str(value), None)
            case Subject.NOTE:
                state["note"] = str(value)
            case Subject.PIN:
                state["pinned"] = bool(value)
            case Subject.FORGOTTEN:
                since = 0 if value == PURGE else annotation.time_ns
                state["forgotten_ns"] = since if value else None
            case Subject.SUSPECT:
                state["suspect"] = str(value or "")
            case Subject.VERIFIED:
                state["verified_ns"] = annotation.time_ns
            case Subject.DRILLED:
                state["drilled_ns"] = annotation.time_ns
                state["drill_failure"] = "" if value is True else str(value)
    return Snapshot(identity, record, tuple(tags), annotations=ordered, **state)
