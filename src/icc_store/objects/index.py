"""Index rows: where an object is. Derived from the blocks, versioned apart from the format.

A row is the first 16 bytes of the id, the block's number (4 bytes) and the position in it (2 bytes), all in one sorted
set. The top bit of the position marks a *base*: the object is kept only because others were written against it, it
answers reads of those, and nothing new may refer to it (what it refers to may be gone).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from icc_store.errors import BlockDamaged
from icc_store.ids import KEY_SIZE

INDEX_VERSION = 1
_ROW = struct.Struct(f">{KEY_SIZE}sIH")
ROW_SIZE = _ROW.size
_BASE_BIT = 0x8000


@dataclass(frozen=True, slots=True)
class Location:
    """The place of an object: a block's number and the position among its objects."""

    block: int
    position: int
    base_only: bool = False


def pack_row(key: bytes, block: int, position: int, *, base_only: bool = False) -> bytes:
    """The row of the object whose id starts with the 16 bytes `key`."""
    return _ROW.pack(key, block, position | _BASE_BIT if base_only else position)


def is_base_row(row: bytes) -> bool:
    """Whether the row marks a base. Cheaper than unpacking it, for the dedup check of every file."""
    return row[-2] >= _BASE_BIT >> 8


def unpack_row(row: bytes) -> tuple[bytes, Location]:
    """Key and location of a row. Raises BlockDamaged for a row of another size."""
    if len(row) != ROW_SIZE:
        raise BlockDamaged("an index row has an impossible length")
    key, block, position = _ROW.unpack(row)
    return key, Location(block, position & ~_BASE_BIT, bool(position & _BASE_BIT))
