"""Very many tiny files: what each file costs beyond its bytes."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.corpora import tiny as corpus
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.memory import FIRST, RESTORE, UNCHANGED
from benchmarks.workspace import copy_tree

RENAMED = "one file renamed"


def tiny_flat(contest: Contest, plan: Plan) -> None:
    """All files in one directory."""
    _tiny(contest, plan, "flat", partial(corpus.build_flat, files=plan.tiny_files, seed=SEED))


def tiny_spread(contest: Contest, plan: Plan) -> None:
    """The files spread over many directories."""
    _tiny(contest, plan, "spread", partial(corpus.build_spread, files=plan.tiny_files, seed=SEED))


def _tiny(contest: Contest, plan: Plan, layout: str, build: Callable[[Path], None]) -> None:
    original = contest.workspace.cached(f"tiny-{layout}-{plan.tiny_files}", build)
    for run in contest.runs(plan.big_runs):
        with contest.run(run) as source:
            copy_tree(original, source)
            contest.settle()
            contest.snapshot(FIRST, source, "first")
            contest.sizes("after the first snapshot")
            contest.snapshot(UNCHANGED, source, "unchanged")
            contest.sizes("after an unchanged one")
            contest.floors(source)
            corpus.rename_one(source, SEED)
            expected = contest.warm(source)
            contest.snapshot(RENAMED, source, "renamed")
            contest.sizes("after one rename")
            contest.restore(RESTORE, expected)
