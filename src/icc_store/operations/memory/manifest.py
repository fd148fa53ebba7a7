"""The manifest of a memory's snapshot: twelve keys that the memory system reads, and one of ours.

What the record says anyway (time, name, sizes) is not stored again. The record holds the rest as plain values, here
called notes; `manifest_of` makes a manifest of both. Notes that could not be made say why; those made later stand in
an annotation, since a record never changes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from icc_store.clock import SECOND_NS, utc_text
from icc_store.entities.findings import Finding, count
from icc_store.entities.layout import ENTITY_TYPES
from icc_store.entities.profiles import BY_NAME, GENERIC, Profile, recognise
from icc_store.errors import DamageError, UsageError
from icc_store.model.record import Snapshot, SnapshotClass, SnapshotRecord, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import tree_entries
from icc_store.monitor import SILENT, Monitor

if TYPE_CHECKING:
    from icc_store.operations.memory.survey import Survey

Notes = dict[str, Any]

_MEGABYTE = 1_000_000
_NS_PER_MS = 1_000_000
_LISTED_FAILURES = 20
_KEYS = {
    "profile": 1, "version": 2, "entities": 3, "digest": 4, "passed": 5, "findings": 6, "failures": 7, "error": 8,
    "incremental": 9, "selection": 10, "left_out": 11, "withheld": 12,
}  # fmt: skip


def notes_of_survey(profile: Profile, found: Survey, failures: tuple[str, ...] = ()) -> Notes:
    """What a record keeps of a survey. `failures` are what validation after the backup found wrong with it."""
    errors, warnings = count(found.findings)
    notes: Notes = {
        "profile": profile.name,
        "version": found.system_version,
        "entities": found.entities,
        "digest": found.digest,
        "passed": not failures,
    }
    if errors or warnings:
        notes["findings"] = [errors, warnings]
    if failures:
        notes["failures"] = list(failures[:_LISTED_FAILURES])
    return notes


def failed_notes(profile: Profile, reason: str) -> Notes:
    """What a record keeps when the manifest could not be made."""
    return {"profile": profile.name, "error": reason}


def notes_of(snapshot: Snapshot) -> Notes | None:
    """The notes of a snapshot: those made last; None when it was taken of no memory."""
    for annotation in reversed(snapshot.annotations):
        if annotation.subject == Subject.MANIFEST:
            return _from_text(str(annotation.value))
    return None if snapshot.record.manifest is None else _from_wire(snapshot.record.manifest)


def to_wire(notes: Notes) -> dict[Any, Any]:
    """The notes as a record keeps them, twice with each snapshot, so every byte counts (docs/format.md)."""
    wire = {_KEYS[name]: value for name, value in notes.items()}
    if "entities" in notes:
        counts = dict(notes["entities"])
        wire[_KEYS["entities"]] = [counts.pop(kind, 0) for kind in ENTITY_TYPES] + ([counts] if counts else [])
    return dict(sorted(wire.items()))


def _from_text(text: str) -> Notes:
    """The notes in an annotation: JSON, with numbers as text and bytes in hex."""
    try:
        wire = {int(key): value for key, value in json.loads(text).items()}
        digest = wire.get(_KEYS["digest"])
        return _from_wire(wire if digest is None else wire | {_KEYS["digest"]: bytes.fromhex(digest)})
    except (ValueError, TypeError, AttributeError, RecursionError):
        return dict(_NOT_UNDERSTOOD)


def _from_wire(wire: Mapping[Any, Any]) -> Notes:
    """The notes that plain values stand for. A repository may hold anything, and must still be listed and restored."""
    names = {key: name for name, key in _KEYS.items()}
    notes = {names[key]: value for key, value in wire.items() if key in names}
    if not all(_TYPES[name](value) for name, value in notes.items()):
        return dict(_NOT_UNDERSTOOD)
    if "entities" in notes:
        *counts, others = notes["entities"] if isinstance(notes["entities"][-1], dict) else [*notes["entities"], {}]
        notes["entities"] = dict(zip(ENTITY_TYPES, counts, strict=True)) | others
    return notes


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_number(value: object) -> bool:
    return type(value) is int


def _is_list(value: object, of: Callable[[object], bool]) -> bool:
    return type(value) is list and all(map(of, value))


def _is_plain(value: object) -> bool:
    """Whether a value is what a selection is made of, and JSON can hold it."""
    if type(value) is float:
        return math.isfinite(value)
    return type(value) in {bool, int, str} or _is_list(value, _is_text)


def _are_counts(value: object) -> bool:
    """Numbers of the known types of entities and, after them, those of others by their names."""
    if type(value) is not list or not _is_list(value[: len(ENTITY_TYPES)], _is_number):
        return False
    if len(value) != len(ENTITY_TYPES) + 1:
        return len(value) == len(ENTITY_TYPES)
    others = value[-1]
    return type(others) is dict and all(_is_text(name) and _is_number(number) for name, number in others.items())


_TYPES: dict[str, Callable[[Any], bool]] = {
    "profile": _is_text,
    "version": _is_text,
    "entities": _are_counts,
    "digest": lambda value: type(value) is bytes,
    "passed": lambda value: type(value) is bool,
    "findings": lambda value: _is_list(value, _is_number) and len(value) == 2,
    "failures": lambda value: _is_list(value, _is_text),
    "error": _is_text,
    "incremental": _is_text,
    "selection": lambda value: (
        type(value) is dict and all(map(_is_text, value)) and all(map(_is_plain, value.values()))
    ),
    "left_out": _is_number,
    "withheld": lambda value: _is_list(value, _is_text),
}
_NOT_UNDERSTOOD: Notes = {"profile": "", "error": "what was kept of it cannot be understood"}


def is_complete(notes: Notes | None) -> bool:
    """Whether a manifest can be made of these notes."""
    return notes is not None and notes.keys() >= {"profile", "entities", "digest", "passed"}


def manifest_of(snapshot: Snapshot) -> dict[str, Any] | None:
    """The manifest of a snapshot; None when it was taken of no memory, or the manifest could not be made."""
    notes = notes_of(snapshot)
    if notes is None or not is_complete(notes):
        return None
    record = snapshot.record
    return {
        "backup_id": backup_id(record),
        "created_at": utc_text(record.time_ns),
        "backup_name": record.name,
        "system_version": notes.get("version", ""),
        "total_entities": sum(notes["entities"].values()),
        "entities_by_type": dict(notes["entities"]),
        "total_size_mb": round(record.counters.size / _MEGABYTE, 6),
        "compressed_size_mb": round(record.counters.added_stored / _MEGABYTE, 6),
        "integrity_hash": f"sha256:{notes['digest'].hex()}",
        "backup_duration_ms": record.counters.duration_ns // _NS_PER_MS,
        "files_backed_up": record.counters.files,
        "validation_passed": bool(notes["passed"]),
        "icc_store": _ours(snapshot, notes),
    }


def backup_id(record: SnapshotRecord) -> str:
    """What a memory system calls this backup: `backup-YYYYMMDD-HHMMSS`, in UTC."""
    return datetime.fromtimestamp(record.time_ns // SECOND_NS, UTC).strftime("backup-%Y%m%d-%H%M%S")


def _ours(snapshot: Snapshot, notes: Notes) -> dict[str, Any]:
    record = snapshot.record
    errors, warnings = notes.get("findings", (0, 0))
    return {
        "snapshot": snapshot.id.hex(),
        "root": record.root.hex(),
        "source": record.source,
        "host": record.host,
        "class": record.kind.value,
        "profile": notes["profile"],
        "program": record.program,
        "findings": {"errors": errors, "warnings": warnings},
        "failures": notes.get("failures", []),
        "unreadable": [path.decode("utf-8", "backslashreplace") for path, _ in record.warnings],
        **{key: notes[key] for key in ("incremental", "selection", "left_out", "withheld") if key in notes},
    }


def rebuild_manifest(repository: Repository, snapshot: Snapshot, *, monitor: Monitor = SILENT) -> tuple[Finding, ...]:
    """Make the manifest of a stored snapshot from its contents, and keep it as an annotation. Returns all findings.

    Raises UsageError for a snapshot of something that is no memory, ObjectMissing and BlockDamaged.
    """
    profile = profile_of(repository, snapshot)
    if profile is GENERIC:
        raise UsageError(
            f"snapshot {snapshot.id.hex()[:12]} is of no memory that is known, so it has no manifest",
            hint="manifests are for memories of the profiles " + ", ".join(n for n in BY_NAME if n != GENERIC.name),
        )
    from icc_store.operations.memory.survey import survey  # 6 ms, and a snapshot imports this module

    found = survey(repository.objects, snapshot.record.root, profile, monitor=monitor)
    kept = {key: value for key, value in (notes_of(snapshot) or {}).items() if key != "error"}
    notes = kept | notes_of_survey(profile, found)
    keep_notes(repository, snapshot, notes)
    return found.findings


def keep_notes(repository: Repository, snapshot: Snapshot, notes: Notes) -> None:
    """Keep notes that were made when the snapshot was there already, as an annotation."""
    text = json.dumps(to_wire(notes), separators=(",", ":"), default=bytes.hex)
    repository.annotate(snapshot.id, Subject.MANIFEST, text)


def profile_of(repository: Repository, snapshot: Snapshot) -> Profile:
    """The profile that a snapshot was taken with, or that its root directory looks like. Raises DamageError."""
    notes: Mapping[str, Any] = notes_of(snapshot) or {}
    known = BY_NAME.get(str(notes.get("profile", "")))
    if known is not None:
        return known
    return recognise([entry.name for entry, _ in tree_entries(repository.objects, snapshot.record.root)])


def is_memory(repository: Repository, snapshot: Snapshot) -> bool:
    """Whether a snapshot is of one memory of the icc layout, as a whole; not when its root cannot be read."""
    record = snapshot.record
    whole = record.root_entry is not None or record.kind is SnapshotClass.IMPORT
    try:
        return whole and profile_of(repository, snapshot).is_icc
    except DamageError:
        return False  # whoever takes it for files is told of the damage


def is_of_a_tool(snapshot: Snapshot) -> bool:
    """Whether a snapshot was taken of the directory of a tool that is known, icc memories among them."""
    profile = BY_NAME.get((notes_of(snapshot) or {}).get("profile", ""), GENERIC)
    return snapshot.record.root_entry is not None and profile is not GENERIC
