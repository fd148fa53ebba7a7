"""States of real source code, each in the place of the one before: releases of a package, commits of a repository."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.corpora import history as project
from benchmarks.corpora import package as releases
from benchmarks.plan import Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.growth import LAST, rewrite
from benchmarks.scenarios.memory import FIRST, RESTORE, VERIFY
from benchmarks.workspace import copy_tree

NEXT_RELEASE = "next release"
NEXT_STATE = "next state"


Show = Callable[[Path, str], None]
"""Turns a directory from one state into another."""


def package(contest: Contest, plan: Plan) -> None:
    """A snapshot of each release, then the newest back; as many releases as the plan has days, at most ten."""
    workspace = contest.workspace
    try:
        wheels = releases.fetch(workspace.cache / "wheels")[: plan.days]
    except releases.PackageUnavailable as unavailable:
        contest.note(f"left out: {unavailable}")
        return

    def show(source: Path, release: str) -> None:
        wheel = next(wheel for wheel in wheels if wheel.stem == release)
        workspace.discard(source)
        copy_tree(workspace.cached(wheel.stem, partial(releases.unpack, wheel)), source)

    _one_after_the_other(contest, [wheel.stem for wheel in wheels], show, NEXT_RELEASE)


def history(contest: Contest, plan: Plan, *, repository: Path = project.ROOT) -> None:
    """A snapshot of each of many states of a repository, this project's own, evenly spaced over its commits."""
    try:
        commits = project.commits(plan.states, repository)
    except project.HistoryUnavailable as unavailable:
        contest.note(f"left out: {unavailable}")
        return
    contest.result.facts["commits"] = commits
    scratch = contest.workspace.fresh("index")
    _one_after_the_other(contest, commits, project.Checkout(scratch, repository).show, NEXT_STATE)
    contest.workspace.discard(scratch)


def _one_after_the_other(contest: Contest, states: Sequence[str], show: Show, operation: str) -> None:
    with contest.run(1) as source:
        for number, state in enumerate(states):
            show(source, state)
            contest.settle()
            contest.snapshot(operation if number else FIRST, source, f"state-{number:03d}")
            contest.sizes(f"after state {number + 1}" if number else "after the first snapshot")
        expected = contest.warm(source)
        contest.sizes(LAST)
        contest.restore(RESTORE, expected)
        contest.ask(VERIFY, lambda peer: peer.verify())
        rewrite(contest, expected)
