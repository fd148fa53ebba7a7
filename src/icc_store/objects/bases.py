"""Whether what a delta was made against can still be read with it, asked inside the transaction that stores the delta.

While a delta waited, its base may have been removed, or written anew for size: at a depth that the delta was not made
for. A frame is read only with bases of less depth, so the second is as bad as the first.
"""

from __future__ import annotations

from icc_store.errors import DamageError
from icc_store.objects.block import Block, decode_block
from icc_store.objects.index import unpack_row
from icc_store.store.protocol import ReadTransaction


class Bases:
    """Looks up bases in one transaction."""

    def __init__(self, txn: ReadTransaction, repository: bytes) -> None:
        self._txn = txn
        self._repository = repository
        self._last: tuple[int, Block | None] = (0, None)

    def is_there(self, key: bytes, below: int, *, place: int | None = None) -> bool:
        """Whether a base can be read with a frame of depth `below`.

        `place` is the block it was read from when the delta was made: if it is there still, that is enough.
        """
        for row in self._txn.rows(key):
            if not row.startswith(key):
                break
            location = unpack_row(row)[1]
            if location.block == place:
                return True
            block = self._block(location.block)
            if block is not None and block.frames[block.frame_at(location.position)[0]].depth < below:
                return True
        return False

    def _block(self, number: int) -> Block | None:
        if self._last[0] != number:
            data = self._txn.block(number)
            try:
                block = None if data is None else decode_block(data, self._repository)
            except DamageError:
                block = None  # what cannot be read is no base
            self._last = number, block
        return self._last[1]
