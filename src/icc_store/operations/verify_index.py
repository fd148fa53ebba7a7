"""The index rows that point into a range of blocks, by block.

The index is sorted by id, so the rows into one block stand all over it. They are read in one go and sorted into the
blocks; when there are too many for that, the blocks are taken in ranges, and the index is read once for each.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator
from itertools import islice

from icc_store.errors import BlockDamaged
from icc_store.model.repository import Repository
from icc_store.objects.index import ROW_SIZE, block_of_row
from icc_store.operations.verify_findings import reason

_ROWS_AT_ONCE = 1_000_000
"""22 bytes each, and the list that holds a block's: about 30 MB."""

_ROWS_PER_VIEW = 100_000
_PIECE = 1024


def leading_nowhere(repository: Repository, rows: Collection[bytes]) -> list[bytes]:
    """Those of the rows that are still there and lead to no block; to others one was written meanwhile.

    Raises what LMDB raises over a damaged page.
    """
    if not rows:
        return []
    repository.objects.forget()
    txn = repository.objects.transaction
    there: dict[int, bool] = {}
    for number in {block_of_row(row) for row in rows}:
        there[number] = any(found == number for found, _ in islice(txn.block_sizes(number), 1))
    return [row for row in rows if not there[block_of_row(row)] and next(txn.rows(row), None) == row]


class RowsByBlock:
    """Gives out the rows of each block, asked for in rising order."""

    def __init__(self, repository: Repository, start: int, end: int, *, everything: bool = False) -> None:
        """`everything` says that there are no blocks but those from number `start` to before `end`."""
        self.damaged = ""
        """Why not all rows could be read."""
        self.astray: list[bytes] = []
        """Rows that lead to none of the blocks, where those are all; as many as are kept at once."""
        self.total = 0
        self._repository = repository
        self._next = start
        self._rows: dict[int, bytearray] = {}
        self._left: list[tuple[int, list[bytes]]] = []
        self._counts: dict[int, array[int]] = {}
        """Rows by block, in pieces of so many numbers: between two blocks there may be any number of removed ones."""
        for row in self._all_rows():
            number = block_of_row(row)
            self.total += 1
            if start <= number < end:
                piece = self._counts.setdefault(number // _PIECE, array("I", bytes(4 * _PIECE)))
                piece[number % _PIECE] += 1
            elif everything and len(self.astray) < _ROWS_AT_ONCE:
                self.astray.append(row)
        self._end = min(end, (max(self._counts, default=-1) + 1) * _PIECE)

    def numbers(self, start: int) -> Iterator[int]:
        """The blocks from this number on into which there are rows."""
        return (number for number, _ in self._counted(start))

    def take(self, number: int) -> list[bytes]:
        """The rows into a block; not to be had a second time. Numbers rise from call to call."""
        while number >= self._next and self._next < self._end:
            self._load()
        found = self._rows.pop(number, bytearray())
        return [bytes(found[at : at + ROW_SIZE]) for at in range(0, len(found), ROW_SIZE)]

    def without_block(self) -> Iterator[tuple[int, list[bytes]]]:
        """The rows into blocks that nobody has taken."""
        while self._next < self._end:
            self._load()
        self._set_aside()
        yield from self._left

    def _set_aside(self) -> None:
        self._left += [(number, self.take(number)) for number in sorted(self._rows)]

    def _load(self) -> None:
        """Read the rows into the next range of blocks. What is left of the one before belongs to no block."""
        self._set_aside()
        first, last, rows = self._next, self._end, 0
        for number, count in self._counted(first):
            if rows and rows + count > _ROWS_AT_ONCE:
                last = number
                break
            rows += count
        self._next = last
        if rows:
            for row in self._all_rows():
                number = block_of_row(row)
                if first <= number < last:
                    self._rows.setdefault(number, bytearray()).extend(row)

    def _counted(self, start: int) -> Iterator[tuple[int, int]]:
        """Blocks from this number on into which there are rows, and how many."""
        for piece in sorted(self._counts):
            for offset, count in enumerate(self._counts[piece]):
                if count and piece * _PIECE + offset >= start:
                    yield piece * _PIECE + offset, count

    def _all_rows(self) -> Iterator[bytes]:
        """Every row, through views that are renewed. Ends early where LMDB cannot go on: see `damaged`."""
        objects = self._repository.objects
        start = b""
        try:
            while True:
                count = 0
                for row in objects.transaction.rows(start):
                    if len(row) != ROW_SIZE:
                        raise BlockDamaged("an index row has an impossible length")
                    if row != start:
                        yield row
                    start = row
                    count += 1
                    if count > _ROWS_PER_VIEW:
                        break
                objects.renew()
                if count <= _ROWS_PER_VIEW:
                    return
        except Exception as error:  # noqa: BLE001 - over a damaged page LMDB raises errors of its own
            objects.renew()
            self.damaged = reason(error)
