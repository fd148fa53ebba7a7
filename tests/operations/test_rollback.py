"""Undoing the last restore, and undoing that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError, SnapshotNotFound, UsageError
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import forget
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.restore_planner import plan_restore
from icc_store.operations.restore_safety import SafeRestoreResult, restore_safely
from icc_store.operations.rollback import last_safety_copy, plan_rollback
from tests.support import damage
from tests.support.compare import assert_same, facts
from tests.support.live import DAY, NOW, clean, fill, put, snap
from tests.support.memory_restores import ALPHA, BETA, FILES, STORE, Memory, remember, without_backups, write
from tests.support.restoring import FILES as PLAIN


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    top = tmp_path / "memory"
    write(top, FILES)
    create_repository(top / STORE)
    with open_repository(top / STORE, clock=FixedClock(NOW)) as repository:
        yield remember(repository, top)


def rollback(repository: Repository, target: Path | None = None) -> tuple[Snapshot, SafeRestoreResult]:
    copy = last_safety_copy(repository, target)
    return copy, restore_safely(repository, plan_rollback(repository, copy), clock=repository.clock)


def test_back_and_forth(memory: Memory) -> None:
    """A rollback brings back what was there before the restore, the next one what was there before the rollback."""
    whole = without_backups(memory.top)
    memory.spoil()
    spoilt = without_backups(memory.top)
    memory.restore()
    for state in (spoilt, whole, spoilt):
        copy, result = rollback(memory.repository)
        assert without_backups(memory.top) == state
        assert result.safety is not None
        assert result.safety.record.seq > copy.record.seq
    assert memory.snapshot.id == memory.repository.snapshots()[0].id


def test_a_merge_is_undone_too(memory: Memory) -> None:
    """Chosen entities, moved ones and indexes that were made anew go back to what they were."""
    memory.spoil()
    spoilt = without_backups(memory.top)
    memory.restore(types=("Learning",))
    assert without_backups(memory.top) != spoilt
    rollback(memory.repository, memory.top)
    assert without_backups(memory.top) == spoilt


def test_nothing_to_roll_back(memory: Memory, tmp_path: Path) -> None:
    """Before any restore, and for a directory that was never restored to, it is refused in one clear sentence."""
    with pytest.raises(SnapshotNotFound, match="nothing to roll back: no safety copy of any directory"):
        last_safety_copy(memory.repository)
    memory.spoil()
    memory.restore()
    with pytest.raises(SnapshotNotFound, match=r"no safety copy of .*elsewhere"):
        last_safety_copy(memory.repository, tmp_path / "elsewhere")
    forget(memory.repository, [one.id for one in memory.safety_copies()])
    with pytest.raises(SnapshotNotFound):
        last_safety_copy(memory.repository)


def test_each_directory_has_its_own(memory: Memory, tmp_path: Path) -> None:
    """The last restore of all is undone when nothing is named, and the last one of a directory when that is."""
    write(tmp_path / "other", {ALPHA: b"{}"})
    memory.spoil()
    memory.restore()
    memory.restore(files=RestoreOptions(tmp_path / "other"))
    assert os.fsdecode(last_safety_copy(memory.repository).record.paths[0]) == str(tmp_path / "other")
    (tmp_path / "link").symlink_to(memory.top)
    for name in (memory.top, tmp_path / "link"):
        assert os.fsdecode(last_safety_copy(memory.repository, name).record.paths[0]) == str(memory.top)


def test_a_rollback_leaves_the_backups_of_a_memory(memory: Memory) -> None:
    """What was backed up between the restore and its rollback stays."""
    memory.spoil()
    memory.restore()
    write(memory.top, {"backups/new.tar.gz": b"made since", "safety/x": b"1"})
    later = snap(memory.repository, memory.top)
    rollback(memory.repository)
    assert (memory.top / "backups/new.tar.gz").read_bytes() == b"made since"
    assert (memory.top / "safety/x").exists()
    assert later.id in {one.id for one in memory.repository.snapshots()}


def test_nothing_is_done_twice(memory: Memory) -> None:
    """When the memory is as the safety copy says, nothing is written and no further copy is taken."""
    memory.spoil()
    memory.restore()
    copy, _ = rollback(memory.repository)
    plan = plan_rollback(memory.repository, copy)
    assert plan.totals.changes == 0
    assert restore_safely(memory.repository, plan, clock=memory.repository.clock).safety is None


def test_a_damaged_safety_copy_is_not_restored(memory: Memory) -> None:
    """A copy that cannot be read whole is found before anything is touched, and its file is named."""
    memory.spoil()
    memory.restore()
    before = without_backups(memory.top)
    copy = last_safety_copy(memory.repository)
    damage.lose(memory.repository, lookup(memory.repository.objects, copy.record, BETA.encode()).entry.chunk)
    with pytest.raises(DamageError, match=r"Learning-beta.*nothing was restored"):
        rollback(memory.repository)
    assert without_backups(memory.top) == before


def test_a_restore_can_be_undone_a_year_later(memory: Memory) -> None:
    """Retention keeps the newest safety copy whatever its age, and lets the one before go."""
    memory.spoil()
    spoilt = without_backups(memory.top)
    memory.restore()
    rollback(memory.repository)
    rollback(memory.repository)
    assert len(memory.safety_copies()) == 3
    assert isinstance(memory.repository.clock, FixedClock)
    memory.repository.clock.sleep(365 * DAY)
    clean(memory.repository)
    assert len(memory.safety_copies()) == 1
    rollback(memory.repository)
    assert without_backups(memory.top) == spoilt


def test_any_directory_may_be_restored_safely(memory: Memory, tmp_path: Path) -> None:
    """All or nothing is not for memories alone: links, attributes and times of any directory come back."""
    fill(tmp_path / "source", PLAIN)
    snapshot = snap(memory.repository, tmp_path / "source")
    target = tmp_path / "target"
    fill(target, {"a": b"other", "mine": b"x", "d/deep/y": b"1"})
    os.link(target / "mine", target / "d/mine too")
    (target / "link").symlink_to("nowhere")
    os.setxattr(target / "mine", "user.x", b"1")
    put(target / "mine", b"x", mtime_ns=12345)
    before = facts(target)
    plan = plan_restore(memory.repository, snapshot, options=RestoreOptions(target, delete=True))
    restore_safely(memory.repository, plan, clock=memory.repository.clock)
    assert_same(tmp_path / "source", target)
    rollback(memory.repository, target)
    assert facts(target) == before


def test_no_copy_of_everything_around_single_files(memory: Memory, tmp_path: Path) -> None:
    """A snapshot of a file, or of several paths, stands for no directory that could be copied: that is refused."""
    fill(tmp_path / "source", PLAIN)
    for paths in ([tmp_path / "source/a"], [tmp_path / "source/a", tmp_path / "source/d"]):
        snapshot = snap(memory.repository, *paths)
        with pytest.raises(UsageError, match="whole directory"):
            restore_safely(memory.repository, plan_restore(memory.repository, snapshot))
    assert memory.safety_copies() == []
