"""Content lists, and the contents of a file made of one."""

from __future__ import annotations

from itertools import islice

from fuzz import golden
from fuzz.structure import MSGPACK
from icc_store.codec.chunking import ChunkerParameters, parameters_for
from icc_store.errors import DamageError, ObjectMissing
from icc_store.ids import Kind, ObjectId
from icc_store.model.content import HOLE, content_bytes, pack_list, parse_list

ALLOWED = (DamageError,)
FORMS = (MSGPACK,)

_ID = ObjectId(bytes(range(32)))


class _Objects:
    """One list, one chunk, and nothing else."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def get(self, identity: ObjectId, kind: int) -> bytes:
        if kind == Kind.LIST:
            return self._data
        if identity != _ID:
            raise ObjectMissing("no such object")
        return b"12345"


def fuzz_one(data: bytes) -> None:
    """What parses packs to the same again, and reading it ends or raises."""
    parsed = parse_list(data)
    if parse_list(pack_list(parsed.level, parsed.ids, parsed.lengths, parsed.chunker)) != parsed:
        raise AssertionError("a list changed when it was packed again")
    for _ in islice(content_bytes(_Objects(data), None, _ID), 1000):
        pass


SEEDS = [
    *golden.objects(Kind.LIST),
    pack_list(0, [_ID, HOLE, _ID], [5, 1 << 40, 5], parameters_for(0)),
    pack_list(0, [_ID], [5], ChunkerParameters(256 << 10, 1 << 20, 4 << 20)),
    pack_list(0, [], [], parameters_for(0)),
    pack_list(1, [_ID, _ID], [70, 1 << 50], None),
    pack_list(15, [_ID], [1], None),
]
