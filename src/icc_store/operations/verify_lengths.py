"""How long chunks are, by the directories of the blocks that hold them: nothing of their contents is decoded."""

from __future__ import annotations

from array import array

from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.objects.index import block_of_row, position_of_row
from icc_store.objects.reader import ObjectReader


class StatedLengths:
    """Looks into each block once, and keeps four bytes for each object in it: others ask for the same chunks again."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._by_block: dict[int, array[int]] = {}

    def of(self, chunk: ObjectId) -> int | None:
        """The bytes of a chunk. None where that cannot be read: it is told by who reads the blocks."""
        try:
            row = self._objects.transaction.row(chunk[:KEY_SIZE])
            if row is None:
                return None
            number = block_of_row(row)
            lengths = self._by_block.get(number)
            if lengths is None:
                block = self._objects.block(number)
                if block is None:
                    return None  # moved meanwhile
                lengths = array("I", (length for frame in block.frames for length in frame.lengths))
                self._by_block[number] = lengths
            return lengths[position_of_row(row)]
        except Exception:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            self._objects.renew()
            return None
