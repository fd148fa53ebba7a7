"""Object ids and kinds: raw 32-byte BLAKE3 digests inside the program, hex at its edges."""

from __future__ import annotations

from enum import IntEnum
from typing import NewType

ObjectId = NewType("ObjectId", bytes)
"""The full name of an object: 32 raw bytes. An alias of `bytes`, since hot loops make one per file."""

ID_SIZE = 32
KEY_SIZE = 16
"""Bytes of an id that the index and delta bases use. The full id is checked wherever bytes are read."""


class Kind(IntEnum):
    """What an object is. The numbers are part of the format."""

    CHUNK = 1
    LIST = 2
    TREE = 3
    SNAPSHOT = 4
    ANNOTATION = 5
    XATTRS = 6


RECORD_KINDS = frozenset((Kind.SNAPSHOT, Kind.ANNOTATION))
"""Kinds that stand in blocks of their own, never beside content."""


def from_hex(text: str) -> ObjectId:
    """The id written as 64 hex digits. Raises ValueError for anything else."""
    raw = bytes.fromhex(text)
    if len(raw) != ID_SIZE:
        raise ValueError(f"an id has {ID_SIZE * 2} hex digits, not {len(text)}")
    return ObjectId(raw)
