"""A write transaction that remembers which blocks it appended and which it removed."""

from __future__ import annotations

from typing import Any

from icc_store.store.lmdb_transaction import LmdbWrite, Tables
from icc_store.store.newest_blocks import Changes
from icc_store.store.protocol import ReadTransaction, Table

_REMOVED_KEY = b"removed blocks"
_NUMBER_SIZE = 8


def ever_removed(txn: ReadTransaction) -> int:
    """How many blocks were ever removed while second copies were kept."""
    return int.from_bytes(txn.get(Table.META, _REMOVED_KEY) or b"")


class NotedWrite(LmdbWrite):
    """For stores that keep second copies of their newest blocks. No batch is larger than `limits.BATCH_BYTES` or so."""

    def __init__(self, store: Tables, txn: Any) -> None:
        super().__init__(store, txn)
        self._appended: list[tuple[int, bytes]] = []
        self._removed: dict[int, int] = {}

    def append_block(self, data: bytes) -> int:
        number = super().append_block(data)
        self._appended.append((number, data))
        return number

    def delete_block(self, number: int) -> bool:
        size = len(self.block(number) or b"")
        gone = super().delete_block(number)
        if gone:
            self._removed[number] = size
            self.put(Table.META, _REMOVED_KEY, (ever_removed(self) + 1).to_bytes(_NUMBER_SIZE))
        return gone

    def changes(self) -> Changes:
        """What was done so far. To be asked for before the commit: afterwards nothing can be read."""
        return Changes(self._appended, self._removed, ever_removed(self))
