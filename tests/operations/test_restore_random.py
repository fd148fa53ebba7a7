"""Mirroring any tree onto any other: equal afterwards, as planned, and then there is nothing left to do."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from icc_store.opening import create_repository, open_repository
from icc_store.operations.changes import DiffOptions
from icc_store.operations.diff_live import diff_live
from icc_store.operations.restore import execute
from icc_store.operations.restore_plan import WRITES, Overwrite, RestoreOptions
from icc_store.operations.restore_planner import plan_restore
from tests.support.compare import differences
from tests.support.live import snap
from tests.support.restoring import back

TIME = 10**18


def grow(top: Path, chance: random.Random, depth: int = 3) -> None:
    """A tree of few names, so that two of them have many in common, of the same and of other types."""
    top.mkdir(exist_ok=True)
    for name in chance.sample("abcdefgh", chance.randrange(7)):
        path = top / name
        if path.is_symlink() or path.exists():
            continue
        kind = chance.random()
        if kind < 0.3 and depth:
            grow(path, chance, depth - 1)
        elif kind < 0.4:
            path.symlink_to(chance.choice(["a", "../b", "nowhere"]))
        elif kind < 0.45:
            os.mkfifo(path)
        else:
            path.write_bytes(bytes([chance.randrange(256)]) * chance.choice([0, 1, 5, 5, 4000]))
            os.utime(path, ns=(TIME, TIME + chance.randrange(3)))
            path.chmod(chance.choice([0o644, 0o600, 0o755]))
    os.utime(top, ns=(TIME, TIME + chance.randrange(3)))


def link(top: Path, chance: random.Random) -> None:
    """Make some of its files names of others."""
    files = sorted(path for path in top.rglob("*") if path.is_file() and not path.is_symlink())
    for _ in range(min(3, len(files) // 2)):
        one, two = chance.sample(files, 2)
        two.unlink()
        os.link(one, two)


@pytest.mark.parametrize("seed", range(40))
def test_mirroring_any_tree_onto_any_other(tmp_path: Path, seed: int) -> None:
    """What is planned is done, the target is equal (but for what size and time hide), and then all is kept."""
    chance = random.Random(seed)
    source, target = tmp_path / "source", tmp_path / "target"
    for top in (source, target):
        grow(top, chance)
        link(top, chance)
    overwrite = Overwrite.ALWAYS if seed % 2 else Overwrite.CHANGED
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as repository:
        snapshot = snap(repository, source)
        plan = plan_restore(repository, snapshot, options=RestoreOptions(target, delete=True, overwrite=overwrite))
        result = execute(repository, plan)
        assert (result.failures, result.counts) == ((), plan.totals.counts)
        told = differences(source, target)
        if overwrite is Overwrite.CHANGED:
            told = [line for line in told if ": content is" not in line and ": data is" not in line]
        assert told == []
        again = back(repository, snapshot, target, delete=True)
        assert ([again.counts[action] for action in WRITES], again.removed) == ([0] * len(WRITES), 0)
        assert list(diff_live(repository, snapshot, options=DiffOptions(directory_times=True))) == []
