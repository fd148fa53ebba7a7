"""Expressions of `--where`, and the selection that a record keeps."""

from __future__ import annotations

from fuzz.structure import MSGPACK
from icc_store.codec.serial import pack, unpack
from icc_store.entities.record import Record
from icc_store.entities.select import Selection
from icc_store.entities.where_parser import parse
from icc_store.errors import UsageError

ALLOWED = (UsageError, ValueError)
FORMS = (MSGPACK,)
WORDS = (b" and ", b" or ", b"not ", b" in ", b"not in", b">=", b"!=", b"null", b"`", b"1e308", b"2025-06-01")

_RECORD = Record(
    "Learning-a",
    "Learning",
    {"id": "Learning-a", "a": {"b": [1, "x"]}, "n": 10**400, "s": "2025-06-01", "tags": ["x"], "relevance_score": 0.5},
)


def fuzz_one(data: bytes) -> None:
    """What parses means the same after it was written out, and decides on any record."""
    try:
        expression = parse(data.decode("utf-8", "replace"))
    except UsageError:
        pass
    else:
        again = parse(str(expression)) if len(str(expression)) < 4000 else expression
        if again != expression:
            raise AssertionError("an expression changed when it was written out")
        if expression.holds(_RECORD.fields) != again.holds(_RECORD.fields):
            raise AssertionError("an expression decides otherwise when it was written out")
    record = unpack(data)
    if isinstance(record, dict):
        selection = Selection.from_record(record)
        selection.describe()
        selection.matches(_RECORD, archived=False)


SEEDS = [
    b'relevance_score >= 0.5 and "security" in tags',
    b"not (a.b = [1, 'x', null] or `odd name`.c != 2025-06-01T00:00:00Z) and n > 1e3",
    b"((((((a))))))",
    pack(Selection(types=("Learning",), where='a = 1 and "x" in tags', created_after="2025-01-01").to_record()),
    pack(Selection(min_relevance=0.3, tags=("x",)).to_record()),
]
