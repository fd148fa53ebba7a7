"""What a killed restore left behind is taken away by the next one, and nothing of one that is running."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.restore_planner import plan_restore
from icc_store.operations.restore_steps import planned_steps
from tests.support.compare import assert_same
from tests.support.dying import Unfinished
from tests.support.live import fill, snap
from tests.support.restoring import FILES, back

LEFT = ".icc-restore-0123456789abcdef"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def snapshot(repository: Repository, source: Path) -> Snapshot:
    return snap(repository, source)


def test_what_the_dead_left_goes(repository: Repository, snapshot: Snapshot, source: Path, tmp_path: Path) -> None:
    """In every directory, files and links; a rehearsal tells it; names of others that look alike stay."""
    target = tmp_path / "target"
    back(repository, snapshot, target)
    (target / LEFT).write_bytes(b"half")
    (target / "d/e" / LEFT).symlink_to("nowhere")
    for name in (".icc-restore-notes", LEFT + "0"):
        (target / "d" / name).write_bytes(b"somebody's")
    plan = plan_restore(repository, snapshot, options=RestoreOptions(target))
    assert [step.path for step in planned_steps(repository, plan) if step.action is None] == [
        os.fsencode(LEFT),
        os.fsencode(f"d/e/{LEFT}"),
    ]
    assert (target / LEFT).exists()
    assert back(repository, snapshot, target).removed == 2
    for name in (".icc-restore-notes", LEFT + "0"):
        (target / "d" / name).unlink()
    os.utime(target / "d", ns=(0, (source / "d").stat().st_mtime_ns))
    assert_same(source, target)


@pytest.mark.parametrize("delete", [False, True])
def test_what_somebody_works_on_stays(repository: Repository, snapshot: Snapshot, tmp_path: Path, delete: bool) -> None:
    """As long as another restore stands in a directory, its file there is not touched, not even with --delete."""
    target = tmp_path / "target"
    back(repository, snapshot, target)
    with Unfinished(target / "d" / LEFT) as other:
        assert back(repository, snapshot, target, delete=delete).removed == 0
        assert (target / "d" / LEFT).exists()
        other.kill()
        assert back(repository, snapshot, target, delete=delete).removed == 1
        assert not (target / "d" / LEFT).exists()


def test_a_snapshot_may_hold_such_a_name(repository: Repository, source: Path, tmp_path: Path) -> None:
    """What was there when the snapshot was taken is part of it, and comes back."""
    (source / LEFT).write_bytes(b"half")
    snapshot = snap(repository, source)
    for _ in range(2):
        back(repository, snapshot, tmp_path / "target")
        assert (tmp_path / "target" / LEFT).read_bytes() == b"half"
