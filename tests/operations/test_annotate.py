"""What is said about snapshots after they were taken."""

from __future__ import annotations

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import SnapshotNotFound, UsageError
from icc_store.ids import ObjectId
from icc_store.limits import MAX_NOTE
from icc_store.model.repository import Repository
from icc_store.operations.annotate import TagOptions, note, pin, tag
from tests.support.snapshots import take


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(10**18)


def test_tags_come_and_go(repository: Repository) -> None:
    """Tags are added behind those the snapshot was taken with, and any can be removed and added again."""
    one = take(repository, tags=("first",))
    assert tag(repository, [one.id], TagOptions(add=("b", "a", "b"))).snapshots[0].tags == ("first", "b", "a")
    assert tag(repository, [one.id], TagOptions(add=("c",), remove=("first", "b"))).snapshots[0].tags == ("a", "c")
    assert tag(repository, [one.id], TagOptions(add=("first",))).snapshots[0].tags == ("a", "c", "first")
    assert repository.snapshot(one.id).record.tags == ("first",)


def test_what_is_so_already_writes_nothing(repository: Repository) -> None:
    """A tag that is there, one that is not, a pin and a note as before: no annotation is added, nothing changed."""
    one = take(repository, tags=("x",), note="text")
    assert not tag(repository, [one.id], TagOptions(add=("x",), remove=("y",))).changed
    assert not pin(repository, [one.id], on=False).changed
    assert not note(repository, one.id, "text").changed
    assert repository.snapshot(one.id).annotations == ()


def test_several_at_once(repository: Repository) -> None:
    """Of several snapshots only those are changed that need it, and one named twice counts once."""
    one, two = take(repository), take(repository, tags=("x",))
    done = tag(repository, [two.id, one.id, two.id], TagOptions(add=("x",)))
    assert [snapshot.id for snapshot in done.snapshots] == [two.id, one.id]
    assert done.changed == {one.id}
    assert [snapshot.pinned for snapshot in pin(repository, [one.id, two.id]).snapshots] == [True, True]
    assert pin(repository, [one.id], on=False).snapshots[0].pinned is False


def test_notes(repository: Repository) -> None:
    """A note replaces the one before; an empty one removes it."""
    one = take(repository, note="at first")
    assert note(repository, one.id, "later").snapshots[0].note == "later"
    assert note(repository, one.id, "").snapshots[0].note == ""
    with pytest.raises(UsageError):
        note(repository, one.id, "x" * (MAX_NOTE + 1))


@pytest.mark.parametrize("wrong", ["", " a", "a,b", "a\n", "\x1b"])
def test_what_is_no_tag(repository: Repository, wrong: str) -> None:
    """A tag can be seen and stands in a list with commas."""
    one = take(repository)
    with pytest.raises(UsageError):
        tag(repository, [one.id], TagOptions(add=("good", wrong)))
    assert repository.snapshot(one.id).tags == ()


def test_contradictions_and_unknown_snapshots(repository: Repository) -> None:
    """Adding and removing one tag makes no sense, and an unknown snapshot changes nothing about the others."""
    one = take(repository)
    with pytest.raises(UsageError):
        tag(repository, [one.id], TagOptions(add=("x",), remove=("x",)))
    with pytest.raises(SnapshotNotFound):
        pin(repository, [one.id, ObjectId(bytes(32))])
    assert repository.snapshot(one.id).annotations == ()
