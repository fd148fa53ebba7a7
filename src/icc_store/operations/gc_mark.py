"""Marking: which objects the snapshots need, and which must stay because a needed one is written against them.

The marks are one bit per object, kept per block as a Python integer, so a million objects take a few hundred
kilobytes. Marking excludes nobody; what is committed meanwhile is marked when the sweep looks again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from heapq import heapify, heappop, heappush

from icc_store.errors import DamageError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import GC_IDS_TOGETHER
from icc_store.model.closure import Reference, needs
from icc_store.monitor import Monitor
from icc_store.objects.block import Block
from icc_store.objects.index import Location, unpack_rows
from icc_store.objects.reader import ObjectReader
from icc_store.operations.gc_outlines import Outlines


class Marks:
    """The marked objects of a repository."""

    def __init__(self, objects: ObjectReader, monitor: Monitor) -> None:
        self._objects = objects
        self._monitor = monitor
        self.outlines = Outlines(objects)
        self.version = 0
        """Grows with every new mark."""
        self.clear(-1)

    def clear(self, epoch: int) -> None:
        """Begin anew, in this gc epoch."""
        self.epoch = epoch
        """Marks say where objects are, and hold as long as nobody but us moves any."""
        self.live: dict[int, int] = {}
        """Bits of the objects that snapshots need, by block."""
        self.bases: dict[int, int] = {}
        """Bits of the objects that others are written against, by block. One object may stand in both."""
        self._held: dict[int, int] = {}
        self._changed: set[int] = set()
        """Blocks with bits whose bases are not marked yet."""
        self.version += 1

    def went_on(self, before: int, after: int) -> None:
        """We ourselves have ended an epoch. The marks hold in the next one if they held in this one."""
        if self.epoch == before:
            self.epoch = after

    def mark_trees(self, roots: Iterable[ObjectId]) -> None:
        """Mark all that these trees need. Raises DamageError when something is missing: gc must not go on then.

        Many ids are looked up together, each once, and trees are read in the order in which they are stored.
        """
        parents: list[Reference] = [(Kind.TREE, root) for root in roots]
        leaves: set[ObjectId] = set()
        while parents:
            taken = {identity: kind for kind, identity in parents[-GC_IDS_TOGETHER:]}
            del parents[-GC_IDS_TOGETHER:]
            for parent in self._mark(taken):
                below, content = needs(self._objects, taken[parent], parent)
                parents += below
                leaves.update(content)
                if len(leaves) >= GC_IDS_TOGETHER:
                    self._mark(leaves)
                    leaves.clear()
        self._mark(leaves)

    def _mark(self, ids: Collection[ObjectId]) -> list[ObjectId]:
        """Those whose mark is new, in the order in which they are stored. Raises DamageError when one is missing."""
        by_key = {identity[:KEY_SIZE]: identity for identity in ids}
        fresh: list[tuple[int, int, ObjectId]] = []
        found, last = 0, b""
        for key, number, position in unpack_rows(list(self._objects.transaction.rows_of(sorted(by_key)))):
            if key != last:  # of several rows the first is the best
                found, last = found + 1, key
                if self._set(self.live, number, position):
                    fresh.append((number, position, by_key[key]))
        if found < len(by_key):
            lost = next(one for one in ids if self._objects.locate(one) is None)
            raise DamageError(f"object {lost.hex()} is missing; nothing was removed", hint="run `icc-store verify`")
        fresh.sort()
        return [identity for _, _, identity in fresh]

    def _set(self, marks: dict[int, int], number: int, position: int) -> bool:
        """Whether the mark is new."""
        bits, bit = marks.get(number, 0), 1 << position
        if bits & bit:
            return False
        marks[number] = bits | bit
        self._changed.add(number)
        self.version += 1
        return True

    def hold(self, numbers: Iterable[int]) -> None:
        """Count all deltas of these blocks as marked where it is about what they are written against.

        A living run has stored them, and no snapshot refers to them yet. They themselves are left alone anyway, but
        for blocks of records, which go with their snapshot; no delta stands in those.
        """
        for number in numbers:
            if number not in self._held:
                block = self._objects.block(number)
                self._held[number] = 0 if block is None else _delta_bits(block)
                if self._held[number]:
                    self._changed.add(number)

    def mark_bases(self) -> None:
        """Mark what the marked objects are written against, and what that is written against.

        From the newest block down: nearly all bases are older, so that a block is hardly ever looked at twice.
        """
        waiting = [-number for number in self._changed]
        heapify(waiting)
        while waiting:
            number = -heappop(waiting)
            block = self._objects.block(number)
            if block is None:
                raise DamageError(f"block {number} is missing; nothing was removed", hint="run `icc-store verify`")
            self.outlines.note(number, block)
            bases = needed_bases(block, self._bits(number))
            places = self.outlines.places(bases)
            if len(places) < len(bases):
                lost = next(key for key, depth in bases if (key, depth) not in places)
                raise DamageError(
                    f"the base object {lost.hex()} is missing; nothing was removed", hint="run `icc-store verify`"
                )
            self._changed.discard(number)
            for at, position in places.values():
                waits = at in self._changed
                if self._set(self.bases, at, position) and not waits:
                    heappush(waiting, -at)

    def forget_bases(self) -> None:
        """Forget which objects others are written against: what was written anew may need less."""
        self.bases.clear()
        self._changed.update(number for number in (*self.live, *self._held) if self._bits(number))
        self.version += 1

    def is_live(self, identity: bytes) -> bool:
        """Whether a marked snapshot needs this object, named by its id or its key."""
        location = self._objects.locate(identity)
        return location is not None and bool(self.live.get(location.block, 0) >> location.position & 1)

    def is_whole(self, number: int) -> bool:
        """Whether snapshots need all of a block, as far as is known without reading it again."""
        objects = self.outlines.objects(number)
        return objects is not None and self.live.get(number, 0).bit_count() == objects

    def moved(self, number: int, base_flags: list[bool]) -> None:
        """A new block holds needed objects that stood elsewhere; the flags say which are needed as bases only."""
        everything = (1 << len(base_flags)) - 1
        bases = sum(1 << position for position, flag in enumerate(base_flags) if flag)
        self.live[number] = everything & ~bases
        self.bases[number] = bases
        self._changed.add(number)

    def removed(self, number: int) -> None:
        """There is no such block any more."""
        for bits in (self.live, self.bases, self._held):
            bits.pop(number, None)
        self._changed.discard(number)

    def left(self, places: Iterable[Location]) -> None:
        """What is needed stands elsewhere now, and no longer in these places."""
        for place in places:
            self.live[place.block] = self.live.get(place.block, 0) & ~(1 << place.position)

    def _bits(self, number: int) -> int:
        return self.live.get(number, 0) | self.bases.get(number, 0) | self._held.get(number, 0)


def frame_bits(block: Block, number: int) -> int:
    """The bits of all objects in a frame."""
    return ((1 << len(block.frames[number].ids)) - 1) << block.firsts[number]


def _delta_bits(block: Block) -> int:
    """The bits of all objects that are written against others."""
    return sum(frame_bits(block, at) for at, frame in enumerate(block.frames) if frame.bases)


def needed_bases(block: Block, bits: int) -> set[tuple[bytes, int]]:
    """The bases of the frames that hold any of these objects, each with the depth of the frame that needs it."""
    needed: set[tuple[bytes, int]] = set()
    for number, frame in enumerate(block.frames):
        if frame.bases and bits & frame_bits(block, number):
            needed.update((key, frame.depth) for key in frame.bases)
    return needed
