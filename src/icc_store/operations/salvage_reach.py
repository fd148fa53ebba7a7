"""What of all that was found in a file snapshots need: every copy of it, since nobody knows yet which can be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.model.entry import XATTRS_ID
from icc_store.model.record import SnapshotRecord
from icc_store.objects.index import unpack_row
from icc_store.objects.reader import ObjectReader
from icc_store.operations.repair_reach import Reach


class ReachOfCopies:
    """One bit per object, by block, like `Reach`; all copies of an object have theirs set."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._reach = Reach(objects)

    def follow(self, records: Iterable[SnapshotRecord]) -> None:
        """Note what these snapshots need."""
        records = list(records)
        attributes = [
            ObjectId(record.root_entry[XATTRS_ID])
            for record in records
            if record.root_entry is not None and XATTRS_ID in record.root_entry
        ]
        self._reach.follow((record.root for record in records), attributes)
        while self._spread():
            self._reach.follow(())

    def live(self, number: int) -> int:
        """The objects of a block that snapshots refer to."""
        return self._reach.live.get(number, 0)

    def bases(self, number: int) -> int:
        """Those that only these are written against."""
        return self._reach.bases.get(number, 0) & ~self.live(number)

    def _spread(self) -> bool:
        """Let all copies of an object count as the one that was met. Whether there were such: they have other bases."""
        changed = False
        for places in self._copies():
            for bits in (self._reach.live, self._reach.bases):
                if any(bits.get(block, 0) >> position & 1 for block, position in places):
                    for block, position in places:
                        changed |= not bits.get(block, 0) >> position & 1
                        bits[block] = bits.get(block, 0) | 1 << position
        return changed

    def _copies(self) -> Iterator[list[tuple[int, int]]]:
        """The places of each object that stands in several."""
        for _, rows in groupby(self._rows(), key=lambda row: row[:KEY_SIZE]):
            places = [(location.block, location.position) for _, location in map(unpack_row, rows)]
            if len(places) > 1:
                yield places

    def _rows(self) -> Iterator[bytes]:
        """All index rows. The view does not change meanwhile, since nobody else has the repository yet."""
        return self._objects.transaction.rows()
