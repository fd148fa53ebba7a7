"""Everybody at once: snapshots of many sources, listing, gc and a compaction, each in a process of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.opening import create_repository, open_repository
from tests.support.labour import CONTEXT, check_all, collect_but, compact, copy_to, snapshot_of, work

SECONDS = float(os.environ.get("ICC_STORE_TEST_STRESS_SECONDS", "5"))
KINDS = ("snapshot", "snapshot", "snapshot", "snapshot", "snapshot", "snapshot", "list", "gc", "copy")


@pytest.mark.slow
def test_everybody_at_once(tmp_path: Path) -> None:
    """Nobody fails, and everything that anybody committed is whole afterwards, in the copy too."""
    path = tmp_path / "r"
    create_repository(path)
    snapshot_of(path, tmp_path / "before", "before", 1)
    pipes, processes = [], []
    for number, kind in enumerate(KINDS):
        here, there = CONTEXT.Pipe()
        arguments = (there, kind, path, tmp_path / f"top {number}", f"{kind}{number}", 0, SECONDS)
        process = CONTEXT.Process(target=work, args=arguments)
        process.start()
        pipes.append(here)
        processes.append(process)
    assert [here.recv() for here in pipes] == ["started"] * len(KINDS)
    done = [here.recv() if here.poll(SECONDS + 60) else "it hangs" for here in pipes]
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()
    assert [each for each in done if not isinstance(each, int)] == []
    assert min(done) >= 1
    compact(path, timeout=5.0)
    collect_but(path, "before", 1)
    with open_repository(path, timeout=5.0) as repository:
        found = check_all(repository)
    for number, (kind, count) in enumerate(zip(KINDS, done, strict=True)):
        if kind in ("snapshot", "copy"):
            assert {f"{kind}{number} {each}" for each in range(1, count + 1)} <= set(found)
    copy_to(path, tmp_path / "copy")
    with open_repository(tmp_path / "copy", timeout=5.0) as second:
        assert set(check_all(second)) >= set(found)
    print(", ".join(f"{kind} {count}" for kind, count in zip(KINDS, done, strict=True)))


def test_a_compaction_gets_its_turn(tmp_path: Path) -> None:
    """A compaction that waits for others gets its turn while they go on, and they go on after it."""
    path = tmp_path / "r"
    create_repository(path)
    pipes = []
    for number in range(3):
        here, there = CONTEXT.Pipe()
        CONTEXT.Process(
            target=work, args=(there, "snapshot", path, tmp_path / f"top {number}", f"s{number}", 0, 2.0)
        ).start()
        pipes.append(here)
    assert [here.recv() for here in pipes] == ["started"] * 3
    compact(path, timeout=30.0)
    done = [here.recv() if here.poll(60) else "it hangs" for here in pipes]
    assert all(isinstance(each, int) and each >= 1 for each in done), done
    with open_repository(path) as repository:
        assert len(check_all(repository)) == sum(done)
