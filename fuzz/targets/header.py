"""The header file: as it is, and with its checksum put right."""

from __future__ import annotations

import json
from pathlib import Path

from fuzz import golden
from fuzz.structure import JSON
from icc_store.codec.hashing import checksum
from icc_store.errors import BlockDamaged, NotARepository, UnsupportedFormat
from icc_store.model.header import Features, Header, header_text, parse_header

ALLOWED = (BlockDamaged, NotARepository, UnsupportedFormat)
FORMS = (JSON,)

_PATH = Path("repository.json")


def fuzz_one(data: bytes) -> None:
    """What parses comes back from its own text."""
    try:
        parse_header(data, _PATH)
    except ALLOWED:
        pass
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(fields, dict):
        fields.pop("checksum", None)
        text = json.dumps(fields, indent=1, sort_keys=True)
        header = parse_header(json.dumps(fields | {"checksum": checksum(text.encode()).hex()}).encode(), _PATH)
        if parse_header(header_text(header).encode(), _PATH) != header:
            raise AssertionError("a header changed when it was written again")


SEEDS = [
    golden.header(),
    header_text(Header(bytes(range(16)), bytes(16))).encode(),
    header_text(Header(bytes(16), bytes(range(16)), features=Features(("a",), ("b", "c"), ()))).encode(),
    header_text(Header(bytes(16), bytes(16), features=Features((), (), ("sealed",)))).encode(),
]
