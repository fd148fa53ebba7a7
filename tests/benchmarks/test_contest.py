"""The contest asks every peer the same, and notices wrong answers. The peers here are ourselves and tar."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.compare import read_tree
from benchmarks.results import ScenarioResult
from benchmarks.scenarios.contest import Contest
from benchmarks.workspace import FEW_FILES, Workspace

PEERS = ("icc-store", "tar-gzip")
MakeContest = Callable[..., Contest]

READ_CACHED = """
import os, pathlib, sys
for path in pathlib.Path(sys.argv[1]).iterdir():
    with path.open("rb") as file:
        os.preadv(file.fileno(), [bytearray(10)], 0, os.RWF_NOWAIT)  # fails where it would have to wait for the disk
"""


@pytest.fixture
def begin(tmp_path: Path) -> MakeContest:
    """Begin a contest below the test's own directory."""

    def begin(**options: float | None) -> Contest:
        return Contest(ScenarioResult("test", {}), PEERS, Workspace(tmp_path / "work"), lambda _: None, **options)

    return begin


def fill(source: Path) -> None:
    source.mkdir()
    (source / "one").write_text("one")
    (source / "two").write_text("two")


def test_every_peer_answers_each_question(begin: MakeContest) -> None:
    """Snapshot, restore and one file are measured for each peer, and right answers make no problem."""
    contest = begin()
    with contest.run(1) as source:
        fill(source)
        contest.snapshot("first", source, "a")
        contest.sizes("then")
        contest.restore("back", read_tree(source))
        contest.one_file("file", "a", "one", b"one", times=2)
    result = contest.result
    assert result.problems == []
    asked = [(sample.operation, sample.peer) for sample in result.samples]
    assert sorted(asked) == sorted((name, peer) for name in ("first", "back", "file", "file") for peer in PEERS)
    assert {size.peer for size in result.sizes} == set(PEERS)


def test_other_bytes_are_a_problem(begin: MakeContest) -> None:
    """What does not come back as it was is noted for each peer, whatever the program said."""
    contest = begin()
    with contest.run(1) as source:
        fill(source)
        contest.snapshot("first", source, "a")
        (source / "two").write_text("changed")
        contest.restore("back", read_tree(source))
        contest.one_file("file", "a", "one", b"not one")
    found = [(problem.operation, problem.peer) for problem in contest.result.problems]
    assert sorted(found) == sorted((name, peer) for name in ("back", "file") for peer in PEERS)


def test_a_peer_that_fails_is_left_out(begin: MakeContest) -> None:
    """A failure is noted once, and the others go on."""
    contest = begin()
    with contest.run(1) as source:
        fill(source)
        contest.snapshot("first", source, "a")
        contest.one_file("file", "a", "no such file", b"")
        contest.snapshot("next", source, "b")
    assert len(contest.result.problems) == len(PEERS)
    assert "next" not in contest.result.operations()


def test_what_is_undone_leaves_no_trace(begin: MakeContest) -> None:
    """What happens to the repositories inside is gone afterwards, and the peers go on with what they had."""
    contest = begin()
    with contest.run(1) as source:
        fill(source)
        contest.snapshot("first", source, "a")
        with contest.undone():
            (source / "one").write_text("changed")
            contest.snapshot("inside", source, "b")
        (source / "one").write_text("one")
        contest.one_file("after", "a", "one", b"one")
        contest.ask("prune", lambda peer: peer.prune(1))
    assert contest.result.problems == []


def test_everyone_finds_the_source_in_the_cache(begin: MakeContest) -> None:
    """One peer drops what it has read from the system's cache, as borg does; the next one finds it there."""
    contest = begin()
    with contest.run(1) as source:
        fill(source)
        for _ in PEERS:
            contest.ask("read", lambda peer: [peer.command(sys.executable, "-c", READ_CACHED, source)], source=source)
            os.sync()
            for path in source.iterdir():
                with path.open("rb") as file:
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert contest.result.problems == []
    assert len(contest.result.samples) == len(PEERS) ** 2


def test_anchors_are_asked_once(begin: MakeContest) -> None:
    """Runs after the first are for the programs that targets are stated against."""
    contest = begin()
    for run in contest.runs(2):
        with contest.run(run) as source:
            fill(source)
            contest.snapshot("first", source, "a")
    assert [(sample.run, sample.peer) for sample in contest.result.samples if sample.run == 2] == [(2, "icc-store")]


def test_no_run_begins_when_the_time_is_over(begin: MakeContest) -> None:
    """One run is always made; the next only where it would end in time."""
    assert list(begin(seconds=0.0).runs(3)) == [1]
    assert list(begin().runs(3)) == [1, 2, 3]


def test_small_trees_are_deleted_and_large_ones_put_aside(tmp_path: Path) -> None:
    """Freeing many inodes at once would slow down what is measured next, so that waits until the end."""
    workspace = Workspace(tmp_path / "work")
    for files in (3, FEW_FILES):
        tree = workspace.fresh("tree")
        for number in range(files):
            (tree / f"{number}").touch()
        workspace.discard(tree)
        assert not tree.exists()
    kept = [path for path in (tmp_path / "work" / "discarded").rglob("*") if path.is_file()]
    assert len(kept) == FEW_FILES
    workspace.empty()
    assert not any((tmp_path / "work" / "discarded").iterdir())
