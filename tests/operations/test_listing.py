"""Which snapshots are listed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.listing import ListOptions, list_snapshots
from tests.support.snapshots import take


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=FixedClock(10**18)) as opened:
        take(opened, name="a", tags=("x", "y"))
        take(opened, name="b", tags=("x",), source="other")
        third = take(opened, name="a")
        opened.annotate(third.id, Subject.FORGOTTEN, value=True)
        take(opened, tags=("x",))
        yield opened


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (ListOptions(), [1, 2, 4]),
        (ListOptions(forgotten=True), [1, 2, 3, 4]),
        (ListOptions(last=2), [2, 4]),
        (ListOptions(last=9), [1, 2, 4]),
        (ListOptions(last=0), []),
        (ListOptions(tags=("x",)), [1, 2, 4]),
        (ListOptions(tags=("x", "y")), [1]),
        (ListOptions(tags=("x",), last=1, source="home"), [4]),
        (ListOptions(source="other"), [2]),
        (ListOptions(name="a", forgotten=True), [1, 3]),
        (ListOptions(name="c"), []),
    ],
)
def test_filters_are_combined(repository: Repository, options: ListOptions, numbers: list[int]) -> None:
    """What is listed fits all filters, in the order of commits; totals count everything."""
    listing = list_snapshots(repository, options)
    assert [one.record.seq for one in listing.snapshots] == numbers
    assert (listing.total, listing.forgotten) == (4, 1)
