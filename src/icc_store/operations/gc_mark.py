"""Marking: which objects the snapshots need, and which must stay because a needed one is written against them.

The marks are one bit per object, kept per block as a Python integer, so a million objects take a few hundred
kilobytes. Marking excludes nobody; what is committed meanwhile is marked when the sweep looks again.
"""

from __future__ import annotations

from collections.abc import Iterable

from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.closure import Reference, references
from icc_store.monitor import Monitor
from icc_store.objects.block import Block
from icc_store.objects.index import Location
from icc_store.objects.reader import ObjectReader


class Marks:
    """The marked objects of a repository."""

    def __init__(self, objects: ObjectReader, monitor: Monitor) -> None:
        self._objects = objects
        self._monitor = monitor
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
        self._scanned: dict[int, int] = {}
        self.version += 1

    def went_on(self, before: int, after: int) -> None:
        """We ourselves have ended an epoch. The marks hold in the next one if they held in this one."""
        if self.epoch == before:
            self.epoch = after

    def mark_trees(self, roots: Iterable[ObjectId]) -> None:
        """Mark all that these trees need. Raises DamageError when something is missing: gc must not go on then."""
        stack: list[Reference] = [(Kind.TREE, root) for root in roots]
        while stack:
            kind, identity = stack.pop()
            if self._mark(identity) and kind in (Kind.TREE, Kind.LIST):
                stack.extend(references(self._objects, kind, identity))

    def _mark(self, identity: ObjectId) -> bool:
        """Whether the mark is new."""
        location = self._objects.locate(identity)
        if location is None:
            raise DamageError(f"object {identity.hex()} is missing; nothing was removed", hint="run `icc-store verify`")
        bit = 1 << location.position
        marked = self.live.get(location.block, 0)
        if marked & bit:
            return False
        self.live[location.block] = marked | bit
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

    def mark_bases(self) -> None:
        """Mark what the marked objects are written against, and what that is written against."""
        marked = (*self.live, *self._held)
        pending = [number for number in marked if self._scanned.get(number, 0) != self._bits(number)]
        while pending:
            number = pending.pop()
            bits = self._bits(number)
            if self._scanned.get(number, 0) == bits:
                continue
            self._scanned[number] = bits
            block = self._objects.block(number)
            if block is None:
                raise DamageError(f"block {number} is missing; nothing was removed", hint="run `icc-store verify`")
            for key, depth in needed_bases(block, bits):
                location = self._objects.base_location(key, depth)
                if location is None:
                    raise DamageError(
                        f"the base object {key.hex()} is missing; nothing was removed", hint="run `icc-store verify`"
                    )
                bit = 1 << location.position
                if not self.bases.get(location.block, 0) & bit:
                    self.bases[location.block] = self.bases.get(location.block, 0) | bit
                    self.version += 1
                    pending.append(location.block)

    def forget_bases(self) -> None:
        """Forget which objects others are written against: what was written anew may need less."""
        self.bases.clear()
        self._scanned.clear()
        self.version += 1

    def is_live(self, identity: bytes) -> bool:
        """Whether a marked snapshot needs this object, named by its id or its key."""
        location = self._objects.locate(identity)
        return location is not None and bool(self.live.get(location.block, 0) >> location.position & 1)

    def moved(self, number: int, base_flags: list[bool]) -> None:
        """A new block holds needed objects that stood elsewhere; the flags say which are needed as bases only."""
        everything = (1 << len(base_flags)) - 1
        bases = sum(1 << position for position, flag in enumerate(base_flags) if flag)
        self.live[number] = everything & ~bases
        self.bases[number] = bases

    def removed(self, number: int) -> None:
        """There is no such block any more."""
        for bits in (self.live, self.bases, self._held, self._scanned):
            bits.pop(number, None)

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
