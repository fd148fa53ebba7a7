"""Notes for the manifest of a memory, in a record and in an annotation, up to what `icc-store manifest` prints."""

from __future__ import annotations

import json

from fuzz import golden
from fuzz.structure import JSON, MSGPACK
from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.record import Annotation, Snapshot, SnapshotRecord, Subject, combine, pack_record, unpack_record
from icc_store.operations.memory.manifest import manifest_of, notes_of, to_wire

ALLOWED = (DamageError,)
FORMS = (MSGPACK, JSON)

_ID = ObjectId(bytes(range(32)))


def fuzz_one(data: bytes) -> None:
    """Whatever a repository says of a memory, there is a manifest that JSON can hold, or none, or damage."""
    text = data.decode("utf-8", "surrogateescape")
    annotated = combine(_ID, SnapshotRecord(1, 2, _ID, "", ""), [Annotation(_ID, Subject.MANIFEST, text, 1, 1)])
    try:
        _look(annotated)
    except ALLOWED:
        pass
    _look(combine(_ID, unpack_record(data), ()))


def _look(snapshot: Snapshot) -> None:
    notes_of(snapshot)
    json.dumps(manifest_of(snapshot))


_NOTES = {
    "profile": "icc",
    "version": "2.0",
    "entities": {"Learning": 3, "Other": 1},
    "digest": bytes(32),
    "passed": False,
    "failures": ["one"],
    "findings": [1, 2],
    "left_out": 4,
}

SEEDS = [
    *golden.objects(Kind.SNAPSHOT),
    pack_record(SnapshotRecord(1, 2, _ID, "", "", manifest=to_wire(_NOTES))),
    pack_record(SnapshotRecord(1, 2, _ID, "", "", manifest=to_wire({"profile": "icc", "error": "it failed"}))),
    json.dumps(to_wire(_NOTES), default=bytes.hex).encode(),
    b'{"1":"icc","8":"it failed"}',
]
