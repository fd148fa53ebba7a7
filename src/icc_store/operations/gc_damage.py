"""Blocks that a sweep cannot read and that nothing needs: they stay for `verify` to look at, but nothing leads there.

Which objects stand in such a block nobody can say any more; there may be trees among them, whose rows have to go before
what they hold does. So all index rows into it go, unless it holds a record: of that there is a second copy, and
`verify` mends it.
"""

from __future__ import annotations

from icc_store.errors import BlockDamaged
from icc_store.ids import KEY_SIZE
from icc_store.model.maintenance import annotation_ids, snapshot_ids
from icc_store.model.repository import Repository
from icc_store.objects.block import Block
from icc_store.operations.verify_index import RowsByBlock


class UnreadableBlocks:
    """Those that one sweep met."""

    def __init__(self, repository: Repository) -> None:
        self.numbers: set[int] = set()
        self._repository = repository

    def read(self, number: int, *, needed: bool) -> Block | None:
        """A block, or None when there is none that can be read. Raises BlockDamaged when something needs it."""
        try:
            return self._repository.objects.block(number)
        except BlockDamaged:
            if needed:
                raise
            self.numbers.add(number)
            return None

    def rows(self) -> list[bytes]:
        """The index rows into them that are to go."""
        if not self.numbers:
            return []
        txn = self._repository.objects.transaction
        records = {identity[:KEY_SIZE] for identity in (*snapshot_ids(txn), *annotation_ids(txn))}
        rows = RowsByBlock(self._repository, min(self.numbers), max(self.numbers) + 1)
        into = [rows.take(number) for number in sorted(self.numbers)]
        return [row for block in into if not any(row[:KEY_SIZE] in records for row in block) for row in block]
