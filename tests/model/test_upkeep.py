"""What a repository remembers of the care that is taken of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.model.repository import Repository
from icc_store.model.upkeep import KnownCopy, is_copy, known_copies, remember_copy, remember_tried, tried_ns
from icc_store.opening import create_copy, create_repository, open_repository
from icc_store.operations.copy import copy_repository
from icc_store.store.protocol import Table
from tests.support.damage import change
from tests.support.live import NOW
from tests.support.snapshots import take


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=FixedClock(NOW)) as opened:
        yield opened


def test_each_chore_has_its_time(repository: Repository) -> None:
    """A chore that was never tried has none, and each source has one of its own."""
    assert tried_ns(repository, "drill") == 0
    remember_tried(repository, "drill", "home")
    repository.clock.sleep(5)
    remember_tried(repository, "verify")
    remember_tried(repository, "drill", "x" * 10_000)
    remember_tried(repository, "drill", os.fsdecode(b"\xff"))
    assert tried_ns(repository, "drill", "home") == NOW
    assert tried_ns(repository, "drill", "other") == tried_ns(repository, "drill") == 0
    assert tried_ns(repository, "verify") == tried_ns(repository, "drill", "x" * 10_000) == NOW + 5 * 10**9


def test_copies_are_remembered_by_their_instance(repository: Repository) -> None:
    """The newest word on each counts, whatever its path holds, and a row that is none says nothing."""
    assert known_copies(repository) == []
    first = KnownCopy(Path("/a"), 1, elsewhere=True)
    moved = KnownCopy(Path(os.fsdecode(b"/\xff")), 2, elsewhere=False)
    remember_copy(repository, b"1" * 16, KnownCopy(Path("/b"), 1, elsewhere=True))
    remember_copy(repository, b"1" * 16, moved)
    remember_copy(repository, b"0" * 16, first)
    change(repository, lambda txn: txn.put(Table.META, b"copy " + b"2" * 16, b"\xc1"))
    assert known_copies(repository) == [first, moved]


def test_a_copy_is_noted_where_it_was_made(repository: Repository, tmp_path: Path) -> None:
    """The first repository knows its copy, the copy knows that it is one, and neither the other way round."""
    take(repository, {"a": b"a"})
    create_copy(tmp_path / "copy", repository.header)
    with open_repository(tmp_path / "copy") as target:
        copy_repository(repository, target)
        assert (is_copy(target), known_copies(target)) == (True, [])
    assert not is_copy(repository)
    assert known_copies(repository) == [KnownCopy(tmp_path / "copy", NOW, elsewhere=False)]


def test_a_repository_that_cannot_be_written_to_is_copied(tmp_path: Path) -> None:
    """Only the note about the copy is missing."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as repository:
        take(repository, {"a": b"a"})
        create_copy(tmp_path / "copy", repository.header)
    with (
        open_repository(tmp_path / "repository", readonly=True) as repository,
        open_repository(tmp_path / "copy") as target,
    ):
        assert copy_repository(repository, target).snapshots == 1
        assert known_copies(repository) == []
