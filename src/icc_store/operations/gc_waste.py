"""What churn has left behind: which objects it would pay to write anew.

Three things cost bytes although nothing is dead enough to go:

- versions that no snapshot has any more, and that later ones are written against. All of a chain can go but what it
  began with: what is needed is written against its nearest ancestor that is needed as well, or against that beginning,
  which takes what any other whole copy would take;
- what is dead in blocks that are kept for the rest of them;
- small blocks, each with a header and a place in a page that is half empty once its neighbours have gone.

What `optimize` made is left to `optimize`: it would be larger afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from icc_store.ids import RECORD_KINDS
from icc_store.model.optimized import read_optimized
from icc_store.model.repository import Repository
from icc_store.objects.block import Block, Frame, directory_size
from icc_store.operations.gc_mark import Marks, frame_bits

_PAYS = 0.1
"""Waste is left alone below this share of all content."""

_KEPT_SHARE = 0.75
"""A block stays as it is while this share of it does."""

_NEIGHBOURS = 8
"""Small blocks become one when there are so many in a row: one week of a snapshot a day."""

_SMALL_COST = 100
"""Bytes that a small block costs beside what is in it: its header, its node, and its share of air in the page."""


@dataclass
class Waste:
    """What was found. Bytes are stored bytes with their share of directories."""

    total: int = 0
    wasted: float = 0.0
    objects: dict[int, int] = field(default_factory=dict)
    """Bits of the objects to write anew, by block, in rising order."""

    @property
    def pays(self) -> bool:
        """Whether writing them anew is worth it."""
        return self.wasted >= _PAYS * self.total


def find_waste(repository: Repository, marks: Marks) -> Waste:
    """Look through all blocks but those of living runs. The marks must be complete."""
    found = Waste()
    row: list[int] = []
    store = repository.store
    for number, block, size in _blocks(repository):
        live = marks.live.get(number, 0)
        weights = _Weights(repository, marks, number, block)
        found.total += size
        found.wasted += size - weights.kept
        if weights.kept < _KEPT_SHARE * size and not weights.begins_chains:
            weights.leaning = live
        if weights.leaning:
            found.objects[number] = weights.leaning
        if live and size <= store.small_value and not weights.begins_chains:
            row.append(number)
        else:
            _join(found, marks, row)
            row = []
    _join(found, marks, row)
    found.objects = dict(sorted(found.objects.items()))
    return found


def _join(found: Waste, marks: Marks, row: list[int]) -> None:
    if len(row) >= _NEIGHBOURS:
        found.wasted += _SMALL_COST * len(row)
        for number in row:
            found.objects[number] = marks.live[number]


def _blocks(repository: Repository) -> Iterator[tuple[int, Block, int]]:
    objects = repository.objects
    lowest = repository.store.lowest_writer()
    state = read_optimized(objects.transaction)
    for number, size in list(objects.transaction.block_sizes()):
        if lowest is not None and number >= lowest:
            return
        block = objects.block(number)
        if block is not None and block.frames[0].kind not in RECORD_KINDS and not state.holds(number):
            yield number, block, size


class _Weights:
    """What of one block is worth its bytes."""

    def __init__(self, repository: Repository, marks: Marks, number: int, block: Block) -> None:
        self._objects = repository.objects
        self._marks = marks
        self.kept = 0.0
        """Bytes that are needed, or that chains begin with."""
        self.leaning = 0
        """Bits of what is needed and written against versions in the midst of a chain that are not."""
        self.begins_chains = False
        live, bases = marks.live.get(number, 0), marks.bases.get(number, 0)
        for at, frame in enumerate(block.frames):
            first, bits = block.firsts[at], frame_bits(block, at)
            needed = live if frame.bases else live | bases
            kept = sum(length for place, length in enumerate(frame.lengths) if needed >> (first + place) & 1)
            self.kept += (len(frame.stored) + directory_size(frame)) * kept / frame.plain_size
            self.begins_chains |= bool(bits & bases & ~live) and not frame.bases
            if live & bits and self._leans(frame):
                self.leaning |= live & bits

    def _leans(self, frame: Frame) -> bool:
        return any(self._is_passed_over(key, frame.depth) for key in frame.bases)

    def _is_passed_over(self, key: bytes, below: int) -> bool:
        location = self._objects.base_location(key, below)
        block = None if location is None else self._objects.block(location.block)
        if location is None or block is None or self._marks.live.get(location.block, 0) >> location.position & 1:
            return False
        return bool(block.frames[block.frame_at(location.position)[0]].bases)


def nearest_ancestor(repository: Repository, marks: Marks, frame: Frame, within: int) -> bytes | None:
    """The key of the next object below this one, in its chain of deltas, that is needed or that the chain begins with.

    A frame does not say which of its bases belongs to which object; as many as there are, they are in the same order.
    """
    objects = repository.objects
    while frame.bases:
        key = frame.bases[min(within, len(frame.bases) - 1)]
        location = objects.base_location(key, frame.depth)
        block = None if location is None else objects.block(location.block)
        if location is None or block is None:
            return None
        number, within = block.frame_at(location.position)
        frame = block.frames[number]
        if not frame.bases or marks.is_live(key):
            return key
    return None
