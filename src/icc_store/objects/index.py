"""Index rows: where an object is. Derived from the blocks, versioned apart from the format.

A row is the first 16 bytes of the id, the block's number (4 bytes) and the position in it (2 bytes), all in one sorted
set. The top bit of the block's number marks a *base*: the object is kept only because others were written against it,
it answers reads of those, and nothing new may refer to it (what it refers to may be gone). Of two rows for one id, that
bit sorts the base last, so whoever takes the first row gets the better one.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from icc_store.errors import BlockDamaged
from icc_store.ids import KEY_SIZE, ObjectId

INDEX_VERSION = 1
_ROW = struct.Struct(f">{KEY_SIZE}sIH")
ROW_SIZE = _ROW.size
_BASE_BIT = 0x8000_0000
_POSITION_AT = KEY_SIZE + 4


class Location(NamedTuple):
    """The place of an object: a block's number and the position among its objects. Made once for every object read."""

    block: int
    position: int
    base_only: bool = False


def pack_row(key: bytes, block: int, position: int, *, base_only: bool = False) -> bytes:
    """The row of the object whose id starts with the 16 bytes `key`."""
    return _ROW.pack(key, block | _BASE_BIT if base_only else block, position)


def is_base_row(row: bytes) -> bool:
    """Whether the row marks a base. Cheaper than unpacking it, for the dedup check of every file."""
    return row[KEY_SIZE] >= _BASE_BIT >> 24


def unpack_row(row: bytes) -> tuple[bytes, Location]:
    """Key and location of a row. Raises BlockDamaged for a row of another size."""
    if len(row) != ROW_SIZE:
        raise BlockDamaged("an index row has an impossible length")
    key, block, position = _ROW.unpack(row)
    return key, Location(block & ~_BASE_BIT, position, bool(block & _BASE_BIT))


def block_of_row(row: bytes) -> int:
    """The block that a row of the right size points into. Where all rows are gone through: 0.2 us instead of 1.6."""
    return int.from_bytes(row[KEY_SIZE:_POSITION_AT]) & ~_BASE_BIT


def position_of_row(row: bytes) -> int:
    """The position in that block, likewise."""
    return int.from_bytes(row[_POSITION_AT:])


def as_base_row(row: bytes) -> bytes:
    """The same row, marked as a base."""
    return row[:KEY_SIZE] + bytes((row[KEY_SIZE] | _BASE_BIT >> 24,)) + row[KEY_SIZE + 1 :]


class Rows(Protocol):
    """Where index rows are looked up."""

    def rows_of(self, prefixes: Iterable[bytes]) -> Iterator[bytes]:
        """All rows that start with one of these, prefix by prefix."""


def unpack_rows(rows: Collection[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Key, block and position of each row, whatever it is marked as; 0.2 us each. Raises BlockDamaged, as above."""
    joined = b"".join(rows)
    if len(joined) != ROW_SIZE * len(rows):
        raise BlockDamaged("an index row has an impossible length")
    for key, block, position in _ROW.iter_unpack(joined):
        yield key, block & ~_BASE_BIT, position


def rows_by_key(index: Rows, keys: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """The rows of each of these keys, the better first; a key without any is left out.

    Raises BlockDamaged for a row of another size.
    """
    found: dict[bytes, list[bytes]] = {}
    for row in index.rows_of(sorted(keys)):
        if len(row) != ROW_SIZE:
            raise BlockDamaged("an index row has an impossible length")
        found.setdefault(row[:KEY_SIZE], []).append(row)
    return found


def rows_into(index: Rows, number: int, ids: Sequence[ObjectId], bits: int = -1) -> list[bytes]:
    """The rows that point into block `number`, which holds objects of these ids; `bits` picks among them."""
    picked = {identity[:KEY_SIZE] for position, identity in enumerate(ids) if bits >> position & 1}
    rows = list(index.rows_of(sorted(picked)))
    end = len(ids)
    return [
        row
        for row, (key, block, position) in zip(rows, unpack_rows(rows), strict=True)
        if block == number and position < end and bits >> position & 1 and ids[position].startswith(key)
    ]
