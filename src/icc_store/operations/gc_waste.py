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

from icc_store.ids import RECORD_KINDS
from icc_store.model.optimized import read_optimized
from icc_store.model.repository import Repository
from icc_store.objects.block import HEADER_SIZE, Block, Frame, directory_size
from icc_store.operations.gc_mark import Marks, frame_bits, needed_bases
from icc_store.operations.gc_outlines import Place
from icc_store.operations.gc_rewrite import share_alive
from icc_store.quick_dataclass import dataclass, field

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
    """Look through all blocks but those of living runs. The marks must be complete.

    What leans on passed-over versions is looked for only where there is enough waste.
    """
    found = Waste()
    row: list[int] = []
    stay: list[int] = []
    for number, size, weight in _weights(repository, marks):
        live = marks.live.get(number, 0)
        found.total += size
        found.wasted += size - weight.kept
        if weight.kept < _KEPT_SHARE * size and not weight.begins_chains:
            if live:
                found.objects[number] = live
        else:
            stay.append(number)
        if live and size <= repository.store.small_value and not weight.begins_chains:
            row.append(number)
        else:
            _join(found, marks, row)
            row = []
    _join(found, marks, row)
    if found.pays:
        for number in stay:
            leaning = 0 if number in found.objects else _leaning(repository, marks, number)
            if leaning:
                found.objects[number] = leaning
    found.objects = dict(sorted(found.objects.items()))
    return found


def _join(found: Waste, marks: Marks, row: list[int]) -> None:
    if len(row) >= _NEIGHBOURS:
        found.wasted += _SMALL_COST * len(row)
        for number in row:
            found.objects[number] = marks.live[number]


@dataclass(frozen=True)
class _Weight:
    """What of one block is worth its bytes."""

    kept: float
    """Bytes that are needed, or that chains begin with."""
    begins_chains: bool = False


def _weights(repository: Repository, marks: Marks) -> Iterator[tuple[int, int, _Weight]]:
    """Number, stored size and weight of each block."""
    objects = repository.objects
    lowest = repository.store.lowest_writer()
    state = read_optimized(objects.transaction)
    for number, size in list(objects.transaction.block_sizes()):
        if lowest is not None and number >= lowest:
            return
        if state.holds(number):
            continue
        if marks.is_whole(number):
            yield number, size, _Weight(size - HEADER_SIZE)
            continue
        block = objects.block(number)
        if block is not None and block.frames[0].kind not in RECORD_KINDS:
            yield number, size, _weigh(marks, number, block)


def _weigh(marks: Marks, number: int, block: Block) -> _Weight:
    live, bases = marks.live.get(number, 0), marks.bases.get(number, 0)
    kept = 0.0
    begins_chains = False
    for at, frame in enumerate(block.frames):
        bits = frame_bits(block, at)
        needed = (live if frame.bases else live | bases) & bits
        begins_chains |= bool(bits & bases & ~live) and not frame.bases
        if needed:
            kept += (len(frame.stored) + directory_size(frame)) * share_alive(block, at, needed)
    return _Weight(kept, begins_chains)


def _leaning(repository: Repository, marks: Marks, number: int) -> int:
    """Bits of what is needed of a block and written against versions in the midst of a chain that are not."""
    block = repository.objects.block(number)
    live = marks.live.get(number, 0)
    if block is None or not live:
        return 0
    places = marks.outlines.places(needed_bases(block, live))
    passed_over = {need for need, place in places.items() if _is_passed_over(marks, place)}
    leaning = 0
    for at, frame in enumerate(block.frames):
        if any((key, frame.depth) in passed_over for key in frame.bases):
            leaning |= live & frame_bits(block, at)
    return leaning


def _is_passed_over(marks: Marks, place: Place) -> bool:
    number, position = place
    return not marks.live.get(number, 0) >> position & 1 and bool(marks.outlines.depth(place))


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
