"""Blocks of a group brought back from what is left of them, of their neighbours, and of the sums.

A cell that is not as its check says counts as lost, wherever it came from; what is solved for is believed only when the
block that comes of it has its uid and a right checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from icc_store.errors import IccStoreError
from icc_store.objects.block import decode_block
from icc_store.objects.parity_cells import CELL_SIZE, Place, cells
from icc_store.objects.parity_group import CHECK_SIZE, WORDS_AT_ONCE, Group, Listed
from icc_store.objects.solved_cells import SolvedCells, solved_cells
from icc_store.objects.stray_blocks import Page, StrayBlocks

_FIRST_AND_LAST = 2
"""These pages of a block have something else beside its bytes, so their checks do not find them."""


def is_block(data: bytes | None, repository: bytes, uid: bytes) -> bool:
    """Whether these bytes are that block, whole."""
    try:
        return data is not None and decode_block(data, repository).uid == uid
    except IccStoreError:
        return False


def rebuild(
    group: Group,
    repository: bytes,
    read: Callable[[int], bytes | None],
    stray: StrayBlocks,
    *,
    scratch: Path,
    removed: Collection[int] = (),
) -> Iterator[tuple[int, bytes | None]]:
    """The blocks of a group that `read` does not give whole, as they were; None for one that cannot be brought back.

    Those that were removed are passed over. `read` gives the bytes under a number, damaged or not; `stray` is asked
    where it gives nothing of use. Cells are kept in the directory `scratch` meanwhile.
    """
    task = _Rebuilding(group, repository, read, stray)
    lost = task.lost_cells()
    with solved_cells(scratch) as solved:
        task.solve(lost, solved)
        yield from task.blocks(solved, removed)


class _Rebuilding:
    def __init__(
        self, group: Group, repository: bytes, read: Callable[[int], bytes | None], stray: StrayBlocks
    ) -> None:
        self._group = group
        self._repository = repository
        self._read = read
        self._stray = stray
        self._places = group.places
        self._look_for_missing()

    def _look_for_missing(self) -> None:
        """Let pages be found of blocks of which there is little where they should be."""
        checks = self._group.cell_checks
        wanted: dict[bytes, Page] = {}
        for block, place in zip(self._group.blocks, self._places, strict=True):
            numbers = range(place.cell, place.cell + place.cells)
            if place.cells > _FIRST_AND_LAST and (
                sum(map(self._group.is_cell, numbers, cells([self._best(block, place)]))) * 2 < place.cells
            ):
                for before in range(1, place.cells - 1):
                    at = (place.cell + before) * CHECK_SIZE
                    wanted[checks[at : at + CHECK_SIZE]] = (block.uid, before)
        self._stray.find_pages(wanted)

    def _best(self, block: Listed, place: Place) -> bytes:
        """What is left of a block, cell by cell from wherever it may stand; zeros where that is nothing."""
        found: list[bytes] = []
        for piece in self._pieces(block):
            if is_block(piece, self._repository, block.uid):
                return piece
            found.append(piece)
        if len(found) < 2 or place.cells == 1:
            return next(iter(found), bytes(block.size))
        numbers = range(place.cell, place.cell + place.cells)
        chosen = [
            next((cell for cell in pieces if self._group.is_cell(number, cell)), pieces[0])
            for number, *pieces in zip(numbers, *(cells([piece]) for piece in found), strict=True)
        ]
        return b"".join(chosen)[place.offset : place.offset + block.size]

    def _pieces(self, block: Listed) -> Iterator[bytes]:
        """The bytes, as many as the block has, of all places where it should be or may be."""
        data = self._read(block.number)
        if data is not None and len(data) == block.size:
            yield data
        yield from self._stray.of(block.number, block.uid, block.size)

    def _cells(self) -> Iterator[bytes]:
        """All cells, as they are now."""
        return cells(map(self._best, self._group.blocks, self._places))

    def lost_cells(self) -> list[int]:
        """The cells that are not what they should be."""
        return [number for number, cell in enumerate(self._cells()) if not self._group.is_cell(number, cell)]

    def solve(self, lost: list[int], solved: SolvedCells) -> None:
        """Add as many of them as can be had."""
        count = self._group.shape.words
        gone = set(lost)
        concerned = sorted({number % count for number in lost})
        for start in range(0, len(concerned), WORDS_AT_ONCE):
            words = {word: self._group.word(word) for word in concerned[start : start + WORDS_AT_ONCE]}
            for number, cell in enumerate(self._cells()):
                if number % count in words and number not in gone:
                    words[number % count].add(number, cell)
            for word in list(words):
                solved.add(words.pop(word).solve([number for number in lost if number % count == word]) or {})

    def blocks(self, solved: SolvedCells, removed: Collection[int]) -> Iterator[tuple[int, bytes | None]]:
        """The blocks that come of the solved cells, and those that were found where nothing led to them."""
        for block, place in zip(self._group.blocks, self._places, strict=True):
            over = range(place.cell, place.cell + place.cells)
            data = self._read(block.number)
            if block.number in removed or is_block(data, self._repository, block.uid):
                continue
            best = self._best(block, place)
            if is_block(best, self._repository, block.uid):
                yield block.number, best
                continue
            own = list(cells([best])) if place.cells > 1 else [bytes(CELL_SIZE)]
            joined = b"".join(solved.get(number, piece) for number, piece in zip(over, own, strict=True))
            data = joined[place.offset : place.offset + block.size]
            yield block.number, data if is_block(data, self._repository, block.uid) else None
