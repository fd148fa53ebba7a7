"""Which stored object a new one is written against: the version before, unless its chain has become too long."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from icc_store.errors import DamageError
from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.limits import DELTA_COST_FACTOR, DELTA_COST_FLOOR, KIB, MAX_BASES, MAX_DELTA_DEPTH
from icc_store.objects.reader import ObjectReader
from icc_store.quick_dataclass import dataclass


@dataclass(frozen=True)
class Base:
    """Objects of one frame to write against; `below` is the plain size of that frame and all under it, in KiB."""

    frame: tuple[int, int]
    keys: tuple[bytes, ...]
    parts: tuple[bytes, ...]
    depth: int
    below: int
    former: bytes | None
    """What the first of them is itself written against."""


class BaseChoice:
    """Chooses among stored objects."""

    def __init__(self, reader: ObjectReader) -> None:
        self._reader = reader

    def usable(self, bases: Sequence[ObjectId], size: int) -> Base | None:
        """The first base that keeps the delta within its bounds; at the end of a chain, the chain's beginning."""
        found = self._base(bases[0][:KEY_SIZE])
        if found is not None and not _within_bounds(found, size):
            found = self._chain_start(found)
        if found is None or not _within_bounds(found, size):
            return None
        if len(bases) > 1 and found.keys[0] == bases[0][:KEY_SIZE]:
            others = [self._base(base[:KEY_SIZE]) for base in bases[1:MAX_BASES]]
            near = [found, *(other for other in others if other is not None and other.frame == found.frame)]
            found = replace(
                found, keys=tuple(base.keys[0] for base in near), parts=tuple(base.parts[0] for base in near)
            )
        return found

    def _base(self, key: bytes) -> Base | None:
        """A base that can be read. A damaged one is none: `verify` tells of it, and what is new is stored without."""
        try:
            place = self._reader.frame_of(key)
            block = None if place is None else self._reader.block(place[0].block)
            if place is None or block is None:
                return None
            location, number, frame, within = place
            plain = self._reader.frame_plain(location.block, block, number)
        except DamageError:
            return None
        start = sum(frame.lengths[:within])
        data = plain[start : start + frame.lengths[within]]
        below = frame.cost + -(-frame.plain_size // KIB)
        former = frame.bases[min(within, len(frame.bases) - 1)] if frame.bases else None
        return Base((location.block, number), (key,), (data,), frame.depth, below, former)

    def _chain_start(self, base: Base) -> Base | None:
        """The object that the chain of deltas under `base` began with."""
        found: Base | None = base
        for _ in range(MAX_DELTA_DEPTH + 1):
            if found is None or found.former is None:
                return found
            found = self._base(found.former)
        return None


def _within_bounds(base: Base, size: int) -> bool:
    closure = base.below * KIB + size
    return base.depth < MAX_DELTA_DEPTH and closure <= max(DELTA_COST_FACTOR * size, DELTA_COST_FLOOR)
