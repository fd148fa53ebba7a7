"""Where a snapshot belongs, and which part of it is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.operations.placement import Placement, Scope, placement_of
from tests.support.live import fill, snap
from tests.support.snapshots import take


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", {"a": b"a", "d/b": b"b", "d/e/c": b"c"})
    return tmp_path / "source"


def place(repository: Repository, snapshot: Snapshot) -> Placement:
    return placement_of(repository.objects, snapshot.record)


def test_one_directory(repository: Repository, source: Path) -> None:
    """The root stands for the directory, and all of it is held whole."""
    assert place(repository, snap(repository, source)) == Placement((b"",), source)


def test_one_file(repository: Repository, source: Path) -> None:
    """The root stands for the directory that the file is in, of which only the file is held."""
    assert place(repository, snap(repository, source / "a")) == Placement((b"a",), source)


def test_several_paths(repository: Repository, source: Path) -> None:
    """The root stands for the root of the file system."""
    stored = bytes(source).lstrip(b"/")
    found = place(repository, snap(repository, source / "a", source / "d"))
    assert found == Placement((stored + b"/a", stored + b"/d"), Path("/"))


@pytest.mark.parametrize("names", [["."], ["a"], ["a", "d/e"]])
def test_another_stored_path(repository: Repository, source: Path, names: list[str]) -> None:
    """Below a prefix that is not their own, paths are held whole, but belong nowhere."""
    found = place(repository, snap(repository, *(source / name for name in names), as_path=b"x/y"))
    assert found.root is None
    below = bytes(source).lstrip(b"/")
    whole = {1: [b"x/y" if names == ["."] else b"x/y/a"], 2: [b"x/y/" + below + b"/a", b"x/y/" + below + b"/d/e"]}
    assert list(found.whole) == whole[len(names)]


def test_an_archive(repository: Repository) -> None:
    """What was imported is held whole and belongs nowhere."""
    imported = take(repository, {"x/y": b"1", "z": b"2"}, kind=SnapshotClass.IMPORT)
    assert place(repository, imported) == Placement((b"",), None)


def test_a_scope() -> None:
    """What was asked for, what leads there, and what belongs to the snapshot entirely are told apart."""
    scope = Scope((b"home/me/a", b"home/you"), (b"home/me",))
    asked = {path: scope.takes(path) for path in (b"", b"home", b"home/me", b"home/me/a", b"home/me/a/x", b"home/you")}
    assert [path for path, taken in asked.items() if taken] == [b"home/me/a", b"home/me/a/x", b"home/you"]
    assert all(scope.leads(path) for path in asked)
    assert not scope.leads(b"home/me/ab")
    assert not scope.leads(b"etc")
    assert scope.owns(b"home/me/a/x")
    assert not scope.owns(b"home/you")
    assert not scope.owns(b"home/me")
    assert scope.is_whole(b"home/me")
    everything = Scope((), (b"",))
    assert everything.is_everything
    assert everything.takes(b"")
    assert everything.owns(b"anything/at all")
