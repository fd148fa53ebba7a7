"""Outlines of blocks: what gc remembers of each that it has read, so as not to read it again.

The bases of a frame may stand in any block, and of several copies only one of less depth will do. To ask the blocks for
that, as often as something is written against what is in them, took three fifths of marking.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from icc_store.errors import BlockDamaged
from icc_store.objects.block import Block
from icc_store.objects.index import block_of_row, position_of_row, rows_by_key
from icc_store.objects.reader import ObjectReader
from icc_store.quick_dataclass import dataclass

Need = tuple[bytes, int]
"""The key of a base, and the depth of the frame that is written against it."""

Place = tuple[int, int]
"""A block's number, and the position in it."""


@dataclass(frozen=True)
class Outline:
    """How many objects a block holds and, where it holds deltas, where its frames begin and how deep they are."""

    objects: int
    firsts: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()

    def depth(self, position: int) -> int:
        """The depth of the frame with the object at `position`. Raises BlockDamaged."""
        if position >= self.objects:
            raise BlockDamaged(f"a block has no object at position {position}")
        return self.depths[bisect_right(self.firsts, position) - 1] if self.depths else 0


class Outlines:
    """The outlines of a repository's blocks. What is under a number never changes."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._known: dict[int, Outline] = {}

    def note(self, number: int, block: Block) -> None:
        """Remember a block that was read for something else."""
        if number not in self._known:
            objects = sum(len(frame.ids) for frame in block.frames)
            depths = tuple(frame.depth for frame in block.frames)
            self._known[number] = Outline(objects, block.firsts, depths) if any(depths) else Outline(objects)

    def objects(self, number: int) -> int | None:
        """How many objects are in a block; None when it has not been read yet."""
        known = self._known.get(number)
        return None if known is None else known.objects

    def depth(self, place: Place) -> int | None:
        """How deep the frame is that holds the object at this place; None when there is no such block any more.

        Raises BlockDamaged.
        """
        number, position = place
        if number not in self._known:
            block = self._objects.block(number)
            if block is None:
                return None
            self.note(number, block)
        return self._known[number].depth(position)

    def places(self, needs: Iterable[Need]) -> dict[Need, Place]:
        """Where each base is that can be read with the frame that needs it; those that are nowhere are left out.

        Raises BlockDamaged.
        """
        needs = list(needs)
        rows = rows_by_key(self._objects.transaction, {key for key, _ in needs})
        found: dict[Need, Place] = {}
        for need in needs:
            for row in rows.get(need[0], ()):
                place = block_of_row(row), position_of_row(row)
                depth = self.depth(place)
                if depth is not None and depth < need[1]:
                    found[need] = place
                    break
        return found
