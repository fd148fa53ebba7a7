"""Annotations, and what they make of a snapshot."""

from __future__ import annotations

from fuzz import golden
from fuzz.structure import MSGPACK
from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.record import (
    Annotation,
    SnapshotRecord,
    Subject,
    combine,
    pack_annotation,
    unpack_annotation,
)

ALLOWED = (DamageError,)
FORMS = (MSGPACK,)

_ID = ObjectId(bytes(range(32)))
_RECORD = SnapshotRecord(1, 2, _ID, "source", "host", tags=("born",))


def fuzz_one(data: bytes) -> None:
    """What parses packs to the same again, and applies."""
    annotation = unpack_annotation(data)
    if unpack_annotation(pack_annotation(annotation)) != annotation:
        raise AssertionError("an annotation changed when it was packed again")
    combine(_ID, _RECORD, [annotation, annotation])


_MADE = [
    pack_annotation(Annotation(_ID, subject, value, 10**18, 7))
    for subject in (*Subject, "of a newer program")
    for value in ("text", True, 1 << 40)
]

SEEDS = [*golden.objects(Kind.ANNOTATION), *_MADE]
