"""What of all that was found in a file snapshots need: every copy of it that has what it is written against.

Which of those can be read nobody knows yet.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import groupby

from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.model.entry import XATTRS_ID
from icc_store.model.record import SnapshotRecord
from icc_store.objects.chains import Chains
from icc_store.objects.index import unpack_row
from icc_store.objects.reader import ObjectReader
from icc_store.operations.repair_reach import Reach


class ReachOfCopies:
    """One bit per object, by block, like `Reach`; all copies of an object have theirs set."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._chains = Chains(objects)
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
        for places in self._copies:
            for bits in (self._reach.live, self._reach.bases):
                if any(bits.get(block, 0) >> position & 1 for block, position in places):
                    for block, position in places:
                        changed |= not bits.get(block, 0) >> position & 1
                        bits[block] = bits.get(block, 0) | 1 << position
        return changed

    @cached_property
    def _copies(self) -> list[list[tuple[int, int]]]:
        """The places of each object that stands in several."""
        rows = groupby(self._objects.transaction.rows(), key=lambda row: row[:KEY_SIZE])
        several = [locations for _, each in rows if len(locations := [unpack_row(row)[1] for row in each]) > 1]
        found = []
        for locations in several:  # only now: looking at blocks may end the view that rows are read in
            readable = [location for location in locations if self._chains.can_be_read(location)]
            found.append([(location.block, location.position) for location in readable or locations])
        return found
