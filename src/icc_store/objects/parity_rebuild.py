"""Blocks of a group brought back from what is left of them, of their neighbours, and of the sums.

A cell that is not as its check says counts as lost, wherever it came from; what is solved for is believed only when the
block that comes of it has its uid and a right checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from icc_store.errors import IccStoreError
from icc_store.objects.block import decode_block
from icc_store.objects.parity_cells import CELL_SIZE, cells
from icc_store.objects.parity_group import CHECK_SIZE, WORDS_AT_ONCE, Group, Listed
from icc_store.objects.solved_cells import SolvedCells, solved_cells
from icc_store.objects.stray_blocks import Page, StrayBlocks


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
        yield from task.blocks(solved, set(lost), removed)


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
        """Let stray pages be found of blocks that can neither be read nor found by their beginning."""
        checks = self._group.cell_checks
        wanted: dict[bytes, Page] = {}
        for block, place in zip(self._group.blocks, self._places, strict=True):
            if not self._fits(self._read(block.number), block) and not self._stray.knows(block.uid):
                for before in range(1, place.cells - 1):
                    at = (place.cell + before) * CHECK_SIZE
                    wanted[checks[at : at + CHECK_SIZE]] = Page(block.uid, block.size, before)
        self._stray.find_pages(wanted)

    @staticmethod
    def _fits(data: bytes | None, block: Listed) -> bool:
        return data is not None and len(data) == block.size

    def _best(self, block: Listed) -> bytes:
        """What is left of a block; zeros where that is nothing."""
        data = self._read(block.number)
        if data is not None and len(data) == block.size:
            return data
        found = [piece for piece in self._stray.of(block.uid, block.size) if len(piece) == block.size]
        whole = [piece for piece in found if is_block(piece, self._repository, block.uid)]
        return next(iter(whole or found), bytes(block.size))

    def lost_cells(self) -> list[int]:
        """The cells that are not what they should be."""
        stream = cells(map(self._best, self._group.blocks))
        return [number for number, cell in enumerate(stream) if not self._group.is_cell(number, cell)]

    def solve(self, lost: list[int], solved: SolvedCells) -> None:
        """Add as many of them as can be had."""
        count = self._group.shape.words
        gone = set(lost)
        concerned = sorted({number % count for number in lost})
        for start in range(0, len(concerned), WORDS_AT_ONCE):
            words = {word: self._group.word(word) for word in concerned[start : start + WORDS_AT_ONCE]}
            for number, cell in enumerate(cells(map(self._best, self._group.blocks))):
                if number % count in words and number not in gone:
                    words[number % count].add(number, cell)
            for word in list(words):
                solved.add(words.pop(word).solve([number for number in lost if number % count == word]) or {})

    def blocks(
        self, solved: SolvedCells, lost: set[int], removed: Collection[int]
    ) -> Iterator[tuple[int, bytes | None]]:
        """The blocks that come of the solved cells, and those that were found where nothing led to them."""
        for block, place in zip(self._group.blocks, self._places, strict=True):
            over = range(place.cell, place.cell + place.cells)
            data = self._read(block.number)
            if block.number in removed or (lost.isdisjoint(over) and self._fits(data, block)):
                continue
            if is_block(data, self._repository, block.uid):
                continue  # whole: only a neighbour in the same cell is not
            best = self._best(block)
            if is_block(best, self._repository, block.uid):
                yield block.number, best
                continue
            own = list(cells([best])) if place.cells > 1 else [bytes(CELL_SIZE)]
            joined = b"".join(solved.get(number, piece) for number, piece in zip(over, own, strict=True))
            data = joined[place.offset : place.offset + block.size]
            yield block.number, data if is_block(data, self._repository, block.uid) else None
