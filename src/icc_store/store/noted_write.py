"""A write transaction that remembers which blocks it appended and which it removed."""

from __future__ import annotations

from typing import Any

from icc_store.store.lmdb_transaction import LmdbWrite, Tables


class NotedWrite(LmdbWrite):
    """For stores that keep second copies of their newest blocks. No batch is larger than `limits.BATCH_BYTES` or so."""

    def __init__(self, store: Tables, txn: Any) -> None:
        super().__init__(store, txn)
        self.appended: list[tuple[int, bytes]] = []
        self.removed: dict[int, int] = {}
        """Sizes of the removed blocks by number."""

    def append_block(self, data: bytes) -> int:
        number = super().append_block(data)
        self.appended.append((number, data))
        return number

    def delete_block(self, number: int) -> bool:
        size = len(self.block(number) or b"")
        gone = super().delete_block(number)
        if gone:
            self.removed[number] = size
        return gone
