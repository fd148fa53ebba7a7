"""Snapshot records, up to what a listing shows of them."""

from __future__ import annotations

import stat

from fuzz import golden
from fuzz.structure import MSGPACK
from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.record import Counters, SnapshotClass, SnapshotRecord, combine, pack_record, unpack_record
from icc_store.model.walk import root_of

ALLOWED = (DamageError,)
FORMS = (MSGPACK,)

_ID = ObjectId(bytes(range(32)))


def fuzz_one(data: bytes) -> None:
    """What parses packs to the same again, combines with annotations, and has a root or raises."""
    record = unpack_record(data)
    packed = pack_record(record)
    if pack_record(unpack_record(packed)) != packed:  # compared as bytes: a value may be NaN
        raise AssertionError("a record changed when it was packed again")
    combine(_ID, record, ())
    root_of(record)


SEEDS = [
    *golden.objects(Kind.SNAPSHOT),
    pack_record(SnapshotRecord(1, 2, _ID, "source", "host")),
    pack_record(
        SnapshotRecord(
            3,
            10**18,
            _ID,
            "home",
            "here",
            SnapshotClass.IMPORT,
            "name",
            ("one", "two"),
            "note",
            _ID,
            (b"/home/ada",),
            {0: [{1000: "ada"}, {}], 1: b"", 2: stat.S_IFDIR | 0o700, 3: 1000, 4: 100, 6: 5},
            {"patterns": [b"*.tmp"], "caches": True, "never": [b"backups"]},
            Counters(*range(11)),
            ((b"gone", "No such file"),),
            "1.0",
            {"key": ["value", 1]},
            7,
            {129: 1},
        )
    ),
]
