"""The head file: as it is, and with its checksum put right."""

from __future__ import annotations

from pathlib import Path

from fuzz import golden
from icc_store.codec.hashing import checksum
from icc_store.errors import BlockDamaged
from icc_store.store.head import Head, head_bytes, parse_head

ALLOWED = (BlockDamaged,)

_REPOSITORY = bytes(range(16))


def fuzz_one(data: bytes) -> None:
    """What parses is written as it was read."""
    for one in (data, data[:48] + checksum(data[:48])):
        try:
            head = parse_head(one, _REPOSITORY, Path("head"))
        except ALLOWED:
            continue
        if head_bytes(_REPOSITORY, head) != one:
            raise AssertionError("a head changed when it was written again")


SEEDS = [
    golden.head(),
    head_bytes(_REPOSITORY, Head(1, bytes(16))),
    head_bytes(_REPOSITORY, Head((1 << 64) - 1, _REPOSITORY)),
]
