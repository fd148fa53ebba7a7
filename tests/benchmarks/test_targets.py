"""Targets are judged as they are stated."""

from __future__ import annotations

import pytest

from benchmarks import floors
from benchmarks.results import Sample, ScenarioResult
from benchmarks.scenarios.growth import LAST, OPTIMIZED
from benchmarks.scenarios.memory import FIRST, RESTORE, UNCHANGED
from benchmarks.scenarios.scale import SNAPSHOT, of_files
from benchmarks.targets import TARGETS, Verdict, verdicts
from tests.benchmarks.conftest import MakeResult


def verdict(results: list[ScenarioResult], text: str) -> Verdict:
    """The one whose text begins so."""
    return next(one for one in verdicts(results) if one.target.text.startswith(text))


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        (1.0, "stretch, 25% to spare"),
        (1.8, "met, 11% to spare"),
        (4.0, "**missed by 50%**"),
    ],
)
def test_speed_is_judged_against_the_faster_peer(made_up: MakeResult, ours: float, words: str) -> None:
    """What counts is the faster of restic and borg, and the words say by how much a bound was missed or surpassed."""
    result = made_up("memory-100000", {FIRST: {"icc-store": ours, "restic": 5.0, "borg": 9.0, "git": 1.0}})
    assert verdict([result], FIRST).words == words


def test_only_the_peers_a_target_names_count(made_up: MakeResult) -> None:
    """A target against git is judged against git, however slow the others are."""
    result = made_up("memory-5", {RESTORE: {"icc-store": 2.0, "restic": 9.0, "borg": 9.0, "git": 1.0}})
    found = verdict([result], f"{RESTORE}: times as fast as `git checkout`")
    assert (found.measured, found.met) == (0.5, False)


def test_floors_are_judged(made_up: MakeResult) -> None:
    """A target against a floor takes the wall, or the CPU, of that step."""
    walls = {UNCHANGED: {"icc-store": 2.0}, FIRST: {"icc-store": 8.0}}
    result = made_up("memory-5", walls)
    with_floors = made_up("memory-5", walls, floors={floors.WALK: 1, floors.COMPRESS: 2})
    assert verdict([with_floors], f"{UNCHANGED}: of a bare walk").measured == pytest.approx(2.0)
    assert verdict([with_floors], f"{FIRST}: CPU").measured == pytest.approx(2.0)
    assert verdict([result], f"{FIRST}: CPU").words == "not measured"


def test_sizes_are_judged_before_and_after_rewriting(made_up: MakeResult) -> None:
    """Before `optimize` our size stands against git's after its `gc --aggressive`, afterwards against the same."""
    sizes = {LAST: {"icc-store": 60, "git": 900, "restic": 600}, OPTIMIZED: {"icc-store": 30, "git": 100}}
    result = made_up("growth-5000", sizes=sizes)
    assert verdict([result], "size after 30 days, of `git").measured == pytest.approx(0.6)
    assert verdict([result], "size after 30 days, of restic").measured == pytest.approx(0.1)
    assert verdict([result], "size after 30 days and").measured == pytest.approx(0.3)


def test_the_largest_scenario_is_judged(made_up: MakeResult) -> None:
    """Of several memories the largest one counts, whatever the order; a smaller one only where that says nothing."""
    small = made_up("memory-5000", {FIRST: {"icc-store": 1, "borg": 9}, UNCHANGED: {"icc-store": 1, "borg": 9}})
    large = made_up("memory-100000", {FIRST: {"icc-store": 1, "borg": 2}})
    for results in ([small, large], [large, small]):
        assert verdict(results, FIRST).scenario == "memory-100000"
        assert verdict(results, UNCHANGED).scenario == "memory-5000"


def test_linearity_is_time_for_each_file(made_up: MakeResult) -> None:
    """Ten times the files in twelve times the time is 1.2 of linear."""
    walls = {of_files(FIRST, 100_000): {"icc-store": 2.0}, of_files(FIRST, 1_000_000): {"icc-store": 24.0}}
    assert verdict([made_up("many-files", walls)], "first snapshot of 1,000,000 files").measured == pytest.approx(1.2)


def test_memory_of_a_million_files_is_of_those_operations_only(made_up: MakeResult) -> None:
    """An operation on fewer files says nothing of a million."""
    walls = {of_files(FIRST, 100_000): {"icc-store": 2.0}}
    assert verdict([made_up("many-files", walls)], "peak memory, 1,000,000 files").measured is None


def test_growth_compares_the_last_with_the_first() -> None:
    """Time per snapshot is the median of the last twentieth over that of the first; too few samples say nothing."""
    walls = [1.0] * 20 + [9.0] * 160 + [2.0] * 20
    samples = [Sample(SNAPSHOT, "icc-store", 1, wall, wall, 1 << 20) for wall in walls]
    result = ScenarioResult("many-snapshots", {}, samples)
    assert verdict([result], "time of a snapshot in the end").measured == pytest.approx(2.0)
    assert verdict([result], "peak memory in the end").measured == pytest.approx(1.0)
    few = ScenarioResult("many-snapshots", {}, samples[:19])
    assert verdict([few], "time of a snapshot in the end").measured is None


def test_what_was_not_run_is_listed() -> None:
    """Every target has its line, measured or not."""
    judged = verdicts([])
    assert [one.target for one in judged] == list(TARGETS)
    assert {one.words for one in judged} == {"not measured"}
    assert {one.met for one in judged} == {None}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.family}: {target.text}")
def test_more_is_asked_for_by_stretch(target) -> None:  # type: ignore[no-untyped-def]
    """Each target states a bound, and a stretch that is harder than what must be reached."""
    assert target.must is not None or target.stretch is not None
    if target.must is not None and target.stretch is not None:
        assert (target.stretch > target.must) == target.at_least
