"""Blocks cut into cells, in such a way that a page of the database that rots costs one cell.

LMDB puts a block of more than about 2,000 bytes on pages of its own, 16 bytes after the start of the first; so its
first cell begins with 16 zeros. Smaller ones share pages with their neighbours in number, and so they share cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from icc_store.limits import SMALL_BLOCK_SIZE

CELL_SIZE = 4096
PAGE_HEADER = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block is: in which cell it begins, how far in, and over how many cells it goes."""

    cell: int
    offset: int
    cells: int


def places(sizes: Iterable[int]) -> list[Place]:
    """Where blocks of these sizes are, in order."""
    found: list[Place] = []
    cell, used = 0, 0
    for size in sizes:
        if size <= SMALL_BLOCK_SIZE:
            if used + size > CELL_SIZE:
                cell, used = cell + 1, 0
            found.append(Place(cell, used, 1))
            used += size
        else:
            if used:
                cell, used = cell + 1, 0
            count = -(-(PAGE_HEADER + size) // CELL_SIZE)
            found.append(Place(cell, PAGE_HEADER, count))
            cell += count
    return found


def cells(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The cells of these blocks, in order, the last bytes of each filled up with zeros."""
    shared = bytearray()
    for data in blocks:
        small = len(data) <= SMALL_BLOCK_SIZE
        if shared and (not small or len(shared) + len(data) > CELL_SIZE):
            yield bytes(shared.ljust(CELL_SIZE, b"\0"))
            shared.clear()
        if small:
            shared += data
            continue
        yield bytes(PAGE_HEADER) + data[: CELL_SIZE - PAGE_HEADER].ljust(CELL_SIZE - PAGE_HEADER, b"\0")
        for start in range(CELL_SIZE - PAGE_HEADER, len(data), CELL_SIZE):
            yield data[start : start + CELL_SIZE].ljust(CELL_SIZE, b"\0")
    if shared:
        yield bytes(shared.ljust(CELL_SIZE, b"\0"))


def cell_count(found: list[Place]) -> int:
    """How many cells the blocks at these places fill."""
    return max((place.cell + place.cells for place in found[-1:]), default=0)
