"""Renewing: after a sweep, what is needed is written anew where too much stands beside it that nothing needs.

What to take is decided in operations/gc_waste.py. New copies come first, each transaction by itself, and the sweep
that follows takes the old ones. So a run can end anywhere, and whoever reads, writes or collects meanwhile finds
everything. (operations/gc_switch.py)
"""

from __future__ import annotations

from icc_store.clock import Clock
from icc_store.errors import DamageError, DiskFull
from icc_store.ids import Kind
from icc_store.limits import BATCH_BYTES, MAX_RENEWAL_SECONDS
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.objects.block import Block
from icc_store.operations.gc_mark import Marks
from icc_store.operations.gc_switch import replace_copies
from icc_store.operations.gc_waste import Waste, find_waste, nearest_ancestor
from icc_store.quick_dataclass import dataclass


@dataclass(frozen=True)
class RenewalResult:
    """What was written anew. Bytes are stored bytes with their share of directories."""

    objects: int
    wasted: int
    """Bytes of content that were there for nothing, before."""
    bytes_written: int


def renew_if_it_pays(repository: Repository, marks: Marks, *, monitor: Monitor, clock: Clock) -> RenewalResult | None:
    """Write anew what it pays to; None when that is nothing. The marks must be complete, and go along.

    What cannot be read is left where it is: to tell of it is for `verify`.
    """
    waste = find_waste(repository, marks)
    if not waste.pays or not waste.objects:
        return None
    monitor.phase("renew")
    return _Renewal(repository, marks, monitor, clock).run(waste)


class _Renewal:
    """One run."""

    def __init__(self, repository: Repository, marks: Marks, monitor: Monitor, clock: Clock) -> None:
        self._repository = repository
        self._objects = repository.objects
        self._marks = marks
        self._monitor = monitor
        self._clock = clock
        from icc_store.operations.gc_gather import Gathering  # most runs write nothing anew: 4 ms

        self._gathering = Gathering(repository.objects, repository.header.repository)
        self._written = self._count = 0

    def run(self, waste: Waste) -> RenewalResult:
        """Go through the blocks in their order, which is that in which a new repository would have got them."""
        try:
            self._go_through(waste)
        except DiskFull as error:  # what was freed before can be filled from the next commit on: no reason to fail
            self._monitor.note(f"not all was written anew that could be: {error.message}")
        self._marks.forget_bases()  # the sweep looks for them anew
        return RenewalResult(self._count, round(waste.wasted), self._written)

    def _go_through(self, waste: Waste) -> None:
        ends = self._clock.monotonic() + MAX_RENEWAL_SECONDS
        for number, bits in waste.objects.items():
            block = self._objects.block(number)
            if block is not None:  # else another gc has moved it
                self._gather(block, bits)
            if self._gathering.stored > BATCH_BYTES:
                self._commit()
            if self._clock.monotonic() > ends:
                break
        self._commit()

    def _gather(self, block: Block, bits: int) -> None:
        for at, frame in enumerate(block.frames):
            for within, identity in enumerate(frame.ids):
                if bits >> (block.firsts[at] + within) & 1:
                    try:
                        data = self._objects.get(identity, frame.kind)
                        base = nearest_ancestor(self._repository, self._marks, frame, within)
                        self._gathering.add(Kind(frame.kind), identity, data, base)
                    except DamageError:
                        continue
                    self._monitor.advance(0, len(data), b"")

    def _commit(self) -> None:
        blocks = self._gathering.blocks()
        if not blocks:
            return
        switch = replace_copies(self._repository, blocks)
        self._marks.went_on(*switch.epochs)
        for switched in switch.done:
            count = sum(len(frame.ids) for frame in switched.block.frames)
            self._marks.left(switched.old)
            self._marks.moved(switched.number, [False] * count)
            self._count += count
            self._written += len(switched.block.data)
