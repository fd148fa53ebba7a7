"""What the program notes for its next run: rows of `seen`, and the facts about files beside them."""

from __future__ import annotations

import stat
from typing import Any

from fuzz import golden
from fuzz.structure import MSGPACK
from icc_store.codec.serial import pack
from icc_store.entities.findings import error
from icc_store.entities.validate import FileFacts, facts_from_wire, facts_to_wire
from icc_store.fs.seen import make_row, parse_row
from icc_store.ids import ObjectId
from icc_store.operations.memory.file_facts import RULES, ScannedFacts

ALLOWED: tuple[type[BaseException], ...] = ()
FORMS = (MSGPACK,)

_TREE = ObjectId(bytes(range(32)))
_WIRES: list[dict[int, Any]] = [{1: b"a", 2: stat.S_IFREG | 0o600}, {1: b"b", 2: stat.S_IFREG | 0o600}]


class _Rows:
    """One row under every key."""

    def __init__(self, row: bytes) -> None:
        self._row = row

    def seen(self, key: bytes) -> bytes | None:
        return self._row

    def remember(self, key: bytes, row: bytes) -> None: ...

    def drop(self, key: bytes) -> None: ...


def fuzz_one(data: bytes) -> None:
    """A row that cannot be read says nothing, whatever it is."""
    row = parse_row(data)
    if row is not None:
        row.marks()
    for each in (data, _TREE + data):
        facts = ScannedFacts(_Rows(each), lambda: None)
        facts.knows(_TREE)
        for _, note in facts.facts_of(_TREE, _WIRES) or ():
            facts_from_wire(b"a", note)
        facts.former(_TREE, _WIRES)


SEEDS = [
    *golden.seen_rows(),
    make_row(_TREE, [], bytes(16), 0),
    pack([RULES, bytes(64), {}]),
    pack([RULES, bytes(64), {1: facts_to_wire(FileFacts((error(b"b", "id", "is none"),), "other", ("x",)))}]),
]
