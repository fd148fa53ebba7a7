"""A hook's snapshot is named, pinned and proven, and nothing less counts as safe."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import SourceError
from icc_store.model.repository import Repository
from icc_store.model.tree import find_entry
from icc_store.monitor import Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.hook import Step, guard, snapshot_name
from icc_store.operations.snapshot_options import SnapshotOptions
from tests.support.damage import block_of, damage_block
from tests.support.live import contents, fill, snap
from tests.support.memories import MEMORY
from tests.support.ordinary import ordinarily
from tests.support.shelf import noise


@pytest.mark.parametrize("step", Step)
def test_a_whole_snapshot_is_safe(repository: Repository, tmp_path: Path, clock: FixedClock, step: Step) -> None:
    """It is named for the step and the time, pinned, verified, and holds what is there."""
    fill(tmp_path / "memory", MEMORY)
    done = guard(repository, [tmp_path / "memory"], step, clock=clock)
    assert done.is_whole
    assert done.snapshot.record.name == f"{step}-20260921-141320"
    assert done.snapshot == repository.snapshot(done.snapshot.id)
    assert done.snapshot.pinned
    assert done.snapshot.verified_ns == clock.now_ns()
    assert contents(repository, done.snapshot) == MEMORY


def test_an_unchanged_memory_gets_its_snapshot_too(repository: Repository, tmp_path: Path) -> None:
    """Each step has a snapshot of its own, whatever was asked of snapshots otherwise."""
    fill(tmp_path / "memory", MEMORY)
    before = snap(repository, tmp_path / "memory")
    options = SnapshotOptions(source="home", host="here", skip_if_unchanged=True, dry_run=True)
    done = guard(repository, [tmp_path / "memory"], Step.RESET, options=options)
    assert done.snapshot.id != before.id
    assert repository.snapshots()[-1].pinned


class Damages(Monitor):
    """Breaks a block between the commit and the reading back."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def phase(self, name: str) -> None:
        if name == "verify":
            snapshot = self._repository.snapshots()[-1]
            found = find_entry(self._repository.objects, snapshot.record.root, b"bad")
            assert found is not None
            damage_block(self._repository, block_of(self._repository, found[0].chunk))


def test_what_cannot_be_read_back_is_not_safe(repository: Repository, tmp_path: Path) -> None:
    """One broken block is enough, and the snapshot is suspect at once."""
    fill(tmp_path / "source", {"bad": noise(1, 400_000), "good": noise(2, 400_000)})
    done = guard(repository, [tmp_path / "source"], Step.UPGRADE, monitor=Damages(repository))
    assert not done.is_whole
    assert done.checked.findings
    assert done.snapshot.suspect


def unreadable(place: Path) -> None:
    create_repository(place / "repository")
    fill(place / "source", {"a": b"a", "secret": b"s"})
    (place / "source/secret").chmod(0)
    with open_repository(place / "repository") as repository:
        done = guard(repository, [place / "source"], Step.MIGRATE)
        assert [path for path, _ in done.taken.problems] == [b"secret"]
        assert not done.is_whole
        assert done.snapshot.pinned


def test_an_unreadable_file_is_not_safe() -> None:
    """A snapshot without one of the files is kept and pinned, but it is no reason to go on."""
    ordinarily(unreadable)


def test_what_is_not_there_cannot_be_guarded(repository: Repository, tmp_path: Path) -> None:
    """A path that does not exist is an error, and no snapshot."""
    with pytest.raises(SourceError):
        guard(repository, [tmp_path / "nowhere"], Step.CLEANUP)
    assert repository.snapshots() == []


def test_names_are_those_of_manifests() -> None:
    """Step, date and time, in UTC."""
    assert snapshot_name(Step.CLEANUP, 0) == "pre-cleanup-19700101-000000"
