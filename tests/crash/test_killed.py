"""Processes that are killed without warning, at any moment of any work: nothing that was committed suffers."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from icc_store.opening import create_repository, open_repository
from tests.support.labour import CONTEXT, check_all, collect_but, compact, copy_to, snapshot_of, work

ROUNDS = 8


@pytest.mark.parametrize("kind", ["snapshot", "gc", "compact", "copy", "optimize"])
def test_killed_at_any_moment(tmp_path: Path, kind: str) -> None:
    """After each death the repository opens, every snapshot in it is whole, and the next run of any kind works."""
    path = tmp_path / "r"
    create_repository(path)
    chance = random.Random(kind)
    known: list[str] = []
    for number in range(5):
        snapshot_of(path, tmp_path / "before", "before", number)
    for round_ in range(ROUNDS):
        here, there = CONTEXT.Pipe()
        arguments = (there, kind, path, tmp_path / f"top {round_}", kind, round_ * 1000, 20.0)
        process = CONTEXT.Process(target=work, args=arguments)
        process.start()
        assert here.recv() == "started"
        time.sleep(chance.uniform(0.0, 0.12))
        process.kill()
        process.join()
        assert not here.poll(), here.recv()
        with open_repository(path, timeout=2.0) as repository:
            found = check_all(repository)
        assert set(known) - {name for name in known if name.startswith("gc ")} <= set(found)
        assert found[:5] == [f"before {each}" for each in range(5)]
        if kind == "copy" and (tmp_path / "copy/repository.json").exists():
            with open_repository(tmp_path / "copy", timeout=2.0) as second:
                check_all(second)
        snapshot_of(path, tmp_path / "after", "after", round_)
        known = [*found, f"after {round_}"]
    collect_but(path, kind, 2)
    compact(path)
    with open_repository(path, timeout=2.0) as repository:
        last = check_all(repository)
    assert set(last) >= {f"after {round_}" for round_ in range(ROUNDS)}
    if kind == "copy":
        copy_to(path, tmp_path / "copy")
        with open_repository(tmp_path / "copy") as second:
            assert set(check_all(second)) >= set(last)
    assert sorted(each.name for each in path.iterdir() if each.is_dir()) == ["writers"]
    assert list((path / "writers").iterdir()) == []
