"""Every scenario runs from its beginning to its end, on data so small that it proves nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import floors
from benchmarks.peers import OURS
from benchmarks.plan import FULL, QUICK, Plan, choose
from benchmarks.results import ScenarioResult
from benchmarks.scenarios import Contest, scenarios
from benchmarks.scenarios.growth import GC, LAST, OPTIMIZED, PRUNED
from benchmarks.scenarios.states import NEXT_STATE, history
from benchmarks.targets import verdicts
from benchmarks.workspace import Workspace

TINY = Plan(
    runs=1,
    quick_runs=1,
    startup_runs=1,
    entities=(100,),
    days=2,
    binary_bytes=2 << 20,
    binary_edits=3,
    tiny_files=200,
    transcript_bytes=100_000,
    transcript_steps=1,
    database_bytes=200_000,
    database_steps=1,
    states=3,
    many_files=(50, 100),
    snapshots=2,
    snapshot_entities=50,
)
ELSEWHERE = ("package", "history")
"""Scenarios whose data come from elsewhere."""
ASKS_GIT = ("entities-100",)
GROWTH = "growth-100"
NAMES = [name for name in scenarios(TINY) if name not in (*ELSEWHERE, GROWTH)]


def contest(name: str, folder: Path, plan: Plan) -> Contest:
    peers = (OURS, "git") if name in ASKS_GIT else (OURS,)
    workspace = Workspace(folder, settle_seconds=0.0)
    return Contest(ScenarioResult(name, {}), peers, workspace, lambda _: None, seconds=plan.seconds)


def run(name: str, folder: Path, plan: Plan) -> ScenarioResult:
    asked = contest(name, folder, plan)
    scenarios(plan)[name](asked, plan)
    return asked.result


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_scenario_runs(tmp_path: Path, name: str) -> None:
    """Something is measured, and nothing that was given back is wrong."""
    result = run(name, tmp_path / "work", TINY)
    assert result.problems == []
    assert result.samples


@pytest.mark.slow
def test_states_of_a_repository_are_stored_one_after_the_other(tmp_path: Path, repository: Path) -> None:
    """Each state has its snapshot, and what comes back is the last one."""
    asked = contest("history", tmp_path / "work", TINY)
    history(asked, TINY, repository=repository)
    assert asked.result.problems == []
    assert len(list(asked.result.of(NEXT_STATE, OURS))) == TINY.states - 1


def test_without_a_history_nothing_is_asked(tmp_path: Path) -> None:
    """Where the past of the project is not at hand, the scenario is left out and fails nothing."""
    asked = contest("history", tmp_path / "work", TINY)
    history(asked, TINY, repository=tmp_path)
    assert asked.result.samples == []


@pytest.mark.slow
def test_growth_tells_sizes_before_and_after(tmp_path: Path) -> None:
    """What rewrites for size does so beside the repository that gc then works on: its size comes from before."""
    result = run(GROWTH, tmp_path / "work", TINY)
    assert result.problems == []
    assert [number for number, _ in result.growth(OURS)] == [1, 2]
    sizes = {moment: result.size(moment, OURS) for moment in (LAST, OPTIMIZED, PRUNED)}
    assert all(sizes.values())
    assert (sizes[OPTIMIZED] or 0) < (sizes[LAST] or 0)
    assert result.wall(GC, OURS) is not None


def test_time_ends_a_scenario_early(tmp_path: Path) -> None:
    """Without time there is one run, with all that it has to tell."""
    result = run("memory-100", tmp_path / "work", replace(TINY, runs=3, seconds=0.0))
    assert {sample.run for sample in result.samples} == {1}
    assert result.steps()[0] == floors.WALK


def test_plans_can_be_changed() -> None:
    """What the command line says replaces what the plan says, and nothing else."""
    changed = choose(quick=False, entities=7, days=2, runs=9, minutes=1.5)
    assert (changed.entities, changed.days, changed.runs, changed.big_runs, changed.seconds) == ((7,), 2, 9, 9, 90.0)
    assert choose(quick=True, entities=None, days=None, runs=None, minutes=None) == QUICK
    assert changed.binary_bytes == FULL.binary_bytes


def test_every_target_has_its_scenario() -> None:
    """A target that no scenario measures would never be judged."""
    families = {verdict.target.family for verdict in verdicts([])}
    assert all(any(name.startswith(family) for name in scenarios(FULL)) for family in families)
