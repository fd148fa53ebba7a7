"""An erasure code: sums of equally long cells, from which lost cells can be had back (docs/format.md, *Parity*).

Each cell is added, bit by bit without carry, to a few of the sums, which a hash of its number picks. A sum whose known
cells are taken off is an equation in the lost ones; as many lost cells as there are sums can be solved for, less a few
spare ones: with `n` to spare, one time in 2^n the equations are not enough. Nothing wrong can come of it, only nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence

from icc_store.codec.hashing import stream

SPARE_SUMS = 32
"""Sums more than the cells that they shall bring back."""

_PICKED = 15
"""Odd: sums of even numbers of ones would never be independent of each other."""
_PICK = struct.Struct(f"<{_PICKED}I")
_CELL = struct.Struct("<Q")


class Sums:
    """The sums of one code word. Cells are added in any order; adding one twice takes it off again."""

    def __init__(self, seed: bytes, values: Sequence[bytes | None], cell_size: int) -> None:
        """Begin with these values, of which some may be lost. `seed` tells this code word from others."""
        self._seed = seed
        self._size = cell_size
        self._values = [int.from_bytes(value or b"", "little") for value in values]
        self._lost = {number for number, value in enumerate(values) if value is None}

    def add(self, number: int, cell: bytes) -> None:
        """Add the cell of that number, or take it off."""
        value = int.from_bytes(cell, "little")
        values = self._values
        count = len(values)
        for picked in _picks(self._seed, number):
            values[picked % count] ^= value

    def values(self) -> Iterator[bytes]:
        """The sums."""
        return (value.to_bytes(self._size, "little") for value in self._values)

    def solve(self, lost: Sequence[int]) -> dict[int, bytes] | None:
        """The cells of these numbers, once all others were taken off. None when there are not enough sums left."""
        if len(lost) > len(self._values) - len(self._lost):
            return None
        masks = [0] * len(self._values)
        for position, number in enumerate(lost):
            for picked in _picks(self._seed, number):
                masks[picked % len(masks)] ^= 1 << position
        equations = [(masks[one], self._values[one]) for one in range(len(masks)) if one not in self._lost]
        leading = _eliminate(equations, len(lost))
        if leading is None:
            return None
        solved: list[int] = []
        for position in range(len(lost)):
            mask, value = leading[position]
            mask ^= 1 << position
            while mask:
                known = mask.bit_length() - 1
                value ^= solved[known]
                mask ^= 1 << known
            solved.append(value)
        return {number: value.to_bytes(self._size, "little") for number, value in zip(lost, solved, strict=True)}


def _picks(seed: bytes, number: int) -> tuple[int, ...]:
    return _PICK.unpack(stream(seed + _CELL.pack(number), _PICK.size))


def _eliminate(equations: Sequence[tuple[int, int]], count: int) -> Mapping[int, tuple[int, int]] | None:
    """For each unknown an equation in it and lower ones alone; None when that cannot be had."""
    leading: dict[int, tuple[int, int]] = {}
    for mask, value in equations:
        if len(leading) == count:
            break
        while mask:
            highest = mask.bit_length() - 1
            if highest not in leading:
                leading[highest] = (mask, value)
                break
            other = leading[highest]
            mask ^= other[0]
            value ^= other[1]
    return leading if len(leading) == count else None
