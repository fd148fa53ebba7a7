"""Which copy of an object can be read, where the index leads to several.

A copy can be read when its frame's bases are all there at less depth than its own, and theirs, down to frames without
any. In a sound repository every copy can; in an index that was made anew of blocks alone there are others: copies that
nothing needed any more, in blocks that were kept for something else, while what they are written against went.
"""

from __future__ import annotations

from icc_store.errors import DamageError
from icc_store.limits import MAX_READ_DEPTH
from icc_store.objects.index import Location
from icc_store.objects.reader import ObjectReader


class Chains:
    """Looks up copies in one view of a repository that does not change meanwhile."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._whole: dict[tuple[int, int], bool] = {}
        """Whether a frame's chain ends well, by block and number of the frame."""

    def place(self, key: bytes) -> Location | None:
        """The best copy of an object: the first that can be read, else the first."""
        return self._choose(list(self._objects.places(key)))

    def base_place(self, key: bytes, below: int) -> Location | None:
        """The best copy of a base for a frame of depth `below`, or None when there is none of less depth."""
        return self._choose([place for place in self._objects.places(key) if self._is_below(place, below)])

    def _choose(self, places: list[Location]) -> Location | None:
        if len(places) > 1:  # else there is no choice, and nothing has to be looked at
            places.sort(key=lambda place: not self.can_be_read(place))
        return places[0] if places else None

    def _is_below(self, place: Location, depth: int) -> bool:
        try:
            block = self._objects.block(place.block)
            return block is not None and block.frames[block.frame_at(place.position)[0]].depth < depth
        except DamageError:
            return False

    def can_be_read(self, place: Location) -> bool:
        """Whether a copy has what it is written against.

        Goes down one level for each depth, so no farther than readers do.
        """
        try:
            block = self._objects.block(place.block)
            if block is None:
                return False
            number = block.frame_at(place.position)[0]
        except DamageError:
            return False
        frame = block.frames[number]
        known = self._whole.get((place.block, number))
        if known is None:
            known = frame.depth <= MAX_READ_DEPTH and all(
                any(
                    self.can_be_read(below) for below in self._objects.places(key) if self._is_below(below, frame.depth)
                )
                for key in frame.bases
            )
            self._whole[place.block, number] = known
        return known
