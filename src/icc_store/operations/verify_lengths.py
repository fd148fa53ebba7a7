"""What the index says of objects, and how long chunks are by the directories of the blocks that hold them.

Nothing of their contents is decoded for it.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable

from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.objects.index import block_of_row, is_base_row, position_of_row, unpack_rows
from icc_store.objects.reader import ObjectReader


class IndexLookup:
    """Finds index rows: of what is expected many at a time, which takes less than one by one."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._rows: dict[bytes, bytes] = {}

    def expect(self, keys: Iterable[bytes]) -> None:
        """Look these up now, and forget those before. What is wrong with the index shows when one is asked for."""
        self._rows = {}
        try:
            for row in self._objects.transaction.rows_of(sorted(keys)):
                if not is_base_row(row):
                    self._rows.setdefault(row[:KEY_SIZE], row)
        except Exception:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._objects.renew()

    @property
    def expected(self) -> Collection[bytes]:
        """The rows of what is expected, without those that only answer reads of a base."""
        return self._rows.values()

    def row(self, key: bytes) -> bytes | None:
        """The better row of a key. Raises whatever LMDB does over a damaged page."""
        return self._rows.get(key) or self._objects.transaction.row(key)


class StatedLengths:
    """Looks into each block once, and keeps four bytes for each object in it: others ask for the same chunks again."""

    def __init__(self, objects: ObjectReader, index: IndexLookup) -> None:
        self._objects = objects
        self._index = index
        self._by_block: dict[int, array[int]] = {}

    def of(self, chunk: ObjectId) -> int | None:
        """The bytes of a chunk. None where that cannot be read: it is told by who reads the blocks."""
        try:
            row = self._index.row(chunk[:KEY_SIZE])
            if row is None:
                return None
            return self._in_block(block_of_row(row))[position_of_row(row)]
        except Exception:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._objects.renew()
            return None

    def of_expected(self) -> dict[bytes, int]:
        """The bytes of chunks that the index was told to expect, by their keys; without those that cannot be read."""
        found = {}
        try:
            for key, number, position in unpack_rows(self._index.expected):
                found[key] = (self._by_block.get(number) or self._in_block(number))[position]
        except Exception:  # noqa: BLE001 - likewise; each that is missing is asked for by itself
            self._objects.renew()
        return found

    def _in_block(self, number: int) -> array[int]:
        """The lengths of all objects in a block. Raises LookupError where it has moved, and what LMDB raises."""
        lengths = self._by_block.get(number)
        if lengths is None:
            block = self._objects.block(number)
            if block is None:
                raise LookupError
            lengths = array("I", (length for frame in block.frames for length in frame.lengths))
            self._by_block[number] = lengths
        return lengths
