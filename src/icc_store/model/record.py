"""Snapshot records and annotations, as values and as bytes (docs/format.md, *Records*).

A snapshot record never changes. What may change about a snapshot (tags, note, pin, forgotten, suspect, verified) are
annotations, each a small record of its own; the newest word on a subject counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import ID_SIZE, ObjectId


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


PURGE = "purge"
"""Value of FORGOTTEN for a snapshot that gc may remove at once; `True` leaves it the time to be undeleted."""


@dataclass(frozen=True)
class Counters:
    """What a run saw and added. Sizes are bytes, `duration_ns` is ns."""

    files: int = 0
    directories: int = 0
    others: int = 0
    size: int = 0
    """Bytes of all regular files, each hard-linked content once."""
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
    kept: dict[int, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Annotation:
    """One changeable fact about a snapshot. `seq` orders annotations; the newest of a subject counts."""

    snapshot: ObjectId
    subject: Subject
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
    annotations: tuple[Annotation, ...] = ()


_RECORD_KEYS = {
    "seq": 1, "time_ns": 2, "root": 3, "source": 4, "host": 5, "kind": 6, "name": 7, "tags": 8, "note": 9,
    "parent": 10, "paths": 11, "root_entry": 12, "exclusions": 13, "counters": 14, "warnings": 15, "program": 16,
    "manifest": 17,
}  # fmt: skip
_COUNTER_NAMES = tuple(Counters.__dataclass_fields__)
_FIRST_KEPT_KEY = 128


def pack_record(record: SnapshotRecord) -> bytes:
    """The bytes of a record; fields that say nothing are left out."""
    wire: dict[int, Any] = {}
    for name, key in _RECORD_KEYS.items():
        value = getattr(record, name)
        if name == "counters":
            value = [getattr(value, counter) for counter in _COUNTER_NAMES]
        if value is None or value in ("", (), {}):
            continue
        wire[key] = str(value) if name == "kind" else value
    wire.update(record.kept)
    return pack(wire)


def unpack_record(data: bytes) -> SnapshotRecord:
    """The record in `data`. Raises BlockDamaged when it cannot be understood."""
    try:
        wire = unpack(data)
        names = {key: name for name, key in _RECORD_KEYS.items()}
        fields: dict[str, Any] = {names[key]: value for key, value in wire.items() if key < _FIRST_KEPT_KEY}
        fields["kind"] = SnapshotClass(fields["kind"])
        fields["counters"] = Counters(*fields["counters"])
        for name in ("tags", "paths"):
            fields[name] = tuple(fields.get(name, ()))
        fields["warnings"] = tuple((bytes(path), str(text)) for path, text in fields.get("warnings", ()))
        if len(fields["root"]) != ID_SIZE or not isinstance(fields["seq"], int):
            raise ValueError("its root or number is not one")
        kept = {key: value for key, value in wire.items() if key >= _FIRST_KEPT_KEY}
        return SnapshotRecord(**fields, kept=kept)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise BlockDamaged(f"a snapshot record cannot be understood: {error}") from error


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
        if len(wire[1]) != ID_SIZE:
            raise ValueError("it is about nothing")
        return Annotation(ObjectId(wire[1]), Subject(wire[2]), wire[3], int(wire[4]), int(wire[5]))
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise BlockDamaged(f"an annotation cannot be understood: {error}") from error


def combine(identity: ObjectId, record: SnapshotRecord, annotations: Iterable[Annotation]) -> Snapshot:
    """The snapshot as it stands now: the record, then every annotation in order."""
    ordered = tuple(sorted(annotations, key=lambda annotation: annotation.seq))
    tags = list(record.tags)
    state: dict[str, Any] = {"note": record.note}
    for annotation in ordered:
        value = annotation.value
        match annotation.subject:
            case Subject.TAG:
                tags.append(str(value))
            case Subject.UNTAG:
                tags = [tag for tag in tags if tag != value]
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
    return Snapshot(identity, record, tuple(dict.fromkeys(tags)), annotations=ordered, **state)
