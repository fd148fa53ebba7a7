"""Where two scans of one tree are."""

from __future__ import annotations

import os

from icc_store.fs.meeting import Meeting, Side, place_of
from icc_store.limits import KIB


def test_places_come_in_the_order_of_a_scan() -> None:
    """A directory's own name, all that is below it, and then the next name, though it goes on like the first."""
    places = [place_of(*each) for each in ((b"", b"a"), (b"a", b"b"), (b"a/b", b"\1"), (b"a", b"b c"), (b"", b"a b"))]
    assert sorted(places) == places
    assert len(set(places)) == len(places)


def test_each_side_sees_where_the_other_has_begun_last() -> None:
    """Nothing at first, and a place that is as long as any path."""
    meeting = Meeting()
    assert meeting.at(Side.FORWARD) == meeting.at(Side.BACKWARD) == b""
    meeting.begin(Side.FORWARD, b"a" * 4 * KIB)
    meeting.begin(Side.BACKWARD, b"z")
    meeting.begin(Side.FORWARD, b"b")
    assert (meeting.at(Side.FORWARD), meeting.at(Side.BACKWARD)) == (b"b", b"z")


def test_a_place_without_end_stays_on_its_side() -> None:
    """It is cut, and does not reach what the other has written."""
    meeting = Meeting()
    meeting.begin(Side.BACKWARD, b"there")
    meeting.begin(Side.FORWARD, b"a" * 100 * KIB)
    assert meeting.at(Side.BACKWARD) == b"there"
    assert set(meeting.at(Side.FORWARD)) == {ord("a")}


def test_a_fork_shares_it() -> None:
    """What a child begins, its parent sees."""
    meeting = Meeting()
    child = os.fork()
    if not child:
        meeting.begin(Side.BACKWARD, b"from the child")
        os._exit(0)
    os.waitpid(child, 0)
    assert meeting.at(Side.BACKWARD) == b"from the child"
