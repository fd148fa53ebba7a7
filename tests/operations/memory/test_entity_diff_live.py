"""Entities that changed since a snapshot, against the live directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.errors import UsageError
from icc_store.model.record import SnapshotClass
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.changes import DiffOptions
from icc_store.operations.memory.entity_diff import EntityChangeKind, entity_diff
from icc_store.operations.memory.entity_diff_live import entity_diff_live
from tests.support.entities import brief, brief_path
from tests.support.live import fill, put, snap
from tests.support.ordinary import ordinarily
from tests.support.snapshots import take

A, B, C, D = "Learning-a-20250601", "Pattern-b-20250601", "Project-c-20250601", "Learning-d-20250601"
BEFORE = {brief_path(name): brief(name, n=1) for name in (A, B, C)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", BEFORE)
    return tmp_path / "source"


def test_it_says_what_two_snapshots_would(repository: Repository, source: Path) -> None:
    """The directory as it is gives the same changes as a snapshot of it: added, removed, changed, moved, unreadable."""
    snapshot = snap(repository, source)
    after = {
        brief_path(A): brief(A, n=2),
        brief_path(B, "archive"): brief(B, n=1),
        brief_path(C): b'{"id": ',
        brief_path(D): brief(D),
        "note.txt": b"x",
    }
    fill(source, after)
    (source / brief_path(A)).touch()
    live = entity_diff_live(repository, snapshot)
    assert {(change.id, str(change.kind)) for change in live.changes} == {
        (A, "changed"),
        (B, "moved"),
        (C, "changed"),
        (D, "added"),
    }
    assert live == entity_diff(repository, (snapshot, snap(repository, source)))
    assert entity_diff_live(repository, repository.snapshots()[-1]).changes == ()


def test_a_note_that_moved(repository: Repository, tmp_path: Path) -> None:
    """A note is known again by its bytes, stored or not."""
    fill(tmp_path / "notes", {"a.md": b"# A\n", "b.md": b"# B\n"})
    snapshot = snap(repository, tmp_path / "notes")
    fill(tmp_path / "notes", {"d/a.md": b"# A\n", "b.md": b"# B\n"})
    (change,) = entity_diff_live(repository, snapshot).changes
    assert (change.id, change.kind, change.moved_from) == ("d/a", EntityChangeKind.MOVED, b"a.md")


def test_options(repository: Repository, source: Path) -> None:
    """A path narrows it; a file changed without a trace is found when contents are to be checked."""
    snapshot = snap(repository, source)
    put(source / brief_path(A), brief(A, n=2))
    put(source / brief_path(B), brief(B, n=2))
    assert entity_diff_live(repository, snapshot).changes == ()
    found = entity_diff_live(repository, snapshot, options=DiffOptions(content_check=True)).changes
    assert [change.id for change in found] == [A, B]
    narrow = DiffOptions(content_check=True, paths=(b"entities/Pattern",))
    assert [change.id for change in entity_diff_live(repository, snapshot, options=narrow).changes] == [B]


def _unreadable(place: Path) -> None:
    fill(place / "source", BEFORE)
    create_repository(place / "repository")
    with open_repository(place / "repository") as repository:
        snapshot = snap(repository, place / "source")
        os.utime(place / "source" / brief_path(A))
        os.chmod(place / "source" / brief_path(A), 0)
        (place / "source" / brief_path(B)).unlink()
        (place / "source" / brief_path(B)).mkdir()
        one, two = entity_diff_live(repository, snapshot).changes
    assert (one.id, one.kind, one.problem) == (A, EntityChangeKind.CHANGED, "cannot be read: Permission denied")
    assert (two.id, two.kind) == (B, EntityChangeKind.REMOVED)


def test_what_cannot_be_read() -> None:
    """An entity that may not be read is listed with the reason, and one that became a directory is gone."""
    ordinarily(_unreadable)


def test_a_snapshot_of_no_directory(repository: Repository) -> None:
    """Where there is nothing to compare with, that is said."""
    with pytest.raises(UsageError):
        entity_diff_live(repository, take(repository, BEFORE, kind=SnapshotClass.IMPORT))
