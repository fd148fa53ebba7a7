"""Which blocks were made for size, and how far that went: a row of META.

It is a note and nothing more. Without it, everything is written anew once.
"""

from __future__ import annotations

from bisect import bisect_right

from icc_store.codec.serial import pack, unpack
from icc_store.quick_dataclass import dataclass
from icc_store.store.protocol import ReadTransaction, Table, WriteTransaction

_KEY = b"optimized"


@dataclass(frozen=True)
class Optimized:
    """How far a repository is optimized."""

    through: int = 0
    """The last block there was when everything had been looked at; 0 before the first time."""
    complete: bool = True
    """False when a run was interrupted: the next one goes on where it ended."""
    ranges: tuple[tuple[int, int], ...] = ()
    """The first and last numbers of the blocks that were made for size, in rising order."""

    def holds(self, number: int) -> bool:
        """Whether this block was made for size."""
        at = bisect_right(self.ranges, (number, 1 << 64)) - 1
        return at >= 0 and self.ranges[at][0] <= number <= self.ranges[at][1]

    def covers(self, number: int) -> bool:
        """Whether a later run can pass over this block: it was made for size, or looked at and left as it is."""
        return (self.complete and number <= self.through) or self.holds(number)

    def with_block(self, number: int) -> Optimized:
        """The same with one more block, the highest so far."""
        if self.ranges and self.ranges[-1][1] == number - 1:
            ranges = (*self.ranges[:-1], (self.ranges[-1][0], number))
        else:
            ranges = (*self.ranges, (number, number))
        return Optimized(self.through, self.complete, ranges)


def read_optimized(txn: ReadTransaction) -> Optimized:
    """What the repository says of itself. A row that cannot be read says nothing."""
    stored = txn.get(Table.META, _KEY)
    if stored is None:
        return Optimized()
    try:
        through, complete, *numbers = unpack(stored)
        ranges = tuple(zip(numbers[::2], numbers[1::2], strict=True))
        if all(type(number) is int for number in (through, *numbers)) and list(ranges) == sorted(ranges):
            return Optimized(through, bool(complete), ranges)
    except (ValueError, TypeError):
        pass
    return Optimized()


def write_optimized(txn: WriteTransaction, state: Optimized) -> None:
    """Say how far it is from now on."""
    numbers = [number for pair in state.ranges for number in pair]
    txn.put(Table.META, _KEY, pack([state.through, state.complete, *numbers]))
