"""What salvage keeps: every copy of what is needed, with all that any of them is written against."""

from __future__ import annotations

from icc_store.ids import ObjectId
from icc_store.model.entry import XATTRS_ID
from icc_store.model.record import SnapshotRecord
from icc_store.operations.salvage_reach import ReachOfCopies
from tests.support.shelf import Shelf, delta_frame, plain_frame, words


def test_bases_of_other_copies_are_kept() -> None:
    """One copy of a base is whole, the other a delta: nobody knows which can be read, so both are kept whole."""
    first = words(1, 4000)
    second, third = first + b"second", first + b"third"
    shelf = Shelf()
    whole = shelf.put([plain_frame(second)])
    below = shelf.put([plain_frame(first)])
    delta = shelf.put([delta_frame(second, bases=[first], depth=1)])
    frame = delta_frame(third, bases=[second], depth=2)
    wanted = shelf.put([frame])
    unneeded = shelf.put([plain_frame(words(2, 100))])
    reach = ReachOfCopies(shelf.reader)
    record = SnapshotRecord(1, 1, ObjectId(bytes(32)), "home", "here", root_entry={XATTRS_ID: frame.ids[0]})
    reach.follow([record])
    assert reach.live(wanted) == 1
    assert [reach.bases(number) for number in (whole, delta, below)] == [1, 1, 1]
    assert (reach.live(unneeded), reach.bases(unneeded)) == (0, 0)
