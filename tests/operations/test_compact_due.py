"""Giving freed bytes back without being asked: when it pays, and never while somebody else is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.opening import compact_if_alone, create_repository, open_repository
from icc_store.operations.compact_due import compaction_pays
from icc_store.operations.forget import ForgetOptions, forget
from tests.support.live import clean, contents, fill, new_clock, snap
from tests.support.shelf import noise

KEPT = {"small": noise(1, 300_000)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_repository(tmp_path / "repository")
    return tmp_path / "repository"


def live_through(path: Path, source: Path, gone: int) -> None:
    """A snapshot of so many bytes that nothing needs afterwards, and one that stays."""
    with open_repository(path, clock=new_clock()) as repository:
        fill(source, KEPT | {"large": noise(2, gone)})
        first = snap(repository, source)
        fill(source, KEPT)
        snap(repository, source)
        forget(repository, [first.id], options=ForgetOptions(purge=True))
        clean(repository)


def test_what_is_free_is_given_back(path: Path, tmp_path: Path) -> None:
    """A file of which most is free is shrunk, and holds what it held; there is nothing to give back a second time."""
    live_through(path, tmp_path / "source", 900_000)
    before = (path / "data.mdb").stat().st_size
    given_back = compact_if_alone(path)
    assert given_back > 800_000
    assert (path / "data.mdb").stat().st_size == before - given_back
    with open_repository(path) as repository:
        assert not compaction_pays(repository)
        assert contents(repository, repository.snapshots()[0]) == KEPT
    assert compact_if_alone(path) == 0


def test_little_is_left(path: Path, tmp_path: Path) -> None:
    """A file of which little is free is left as it is."""
    live_through(path, tmp_path / "source", 50_000)
    before = (path / "data.mdb").stat()
    assert compact_if_alone(path) == 0
    assert (path / "data.mdb").stat().st_ino == before.st_ino


def test_who_has_it_open_is_not_disturbed(path: Path, tmp_path: Path) -> None:
    """While anybody has the repository open nothing happens, at once and without an error."""
    live_through(path, tmp_path / "source", 900_000)
    before = (path / "data.mdb").stat()
    with open_repository(path, readonly=True) as repository:
        assert compact_if_alone(path) == 0
        assert contents(repository, repository.snapshots()[0]) == KEPT
    assert (path / "data.mdb").stat().st_ino == before.st_ino
    assert compact_if_alone(path) > 0
