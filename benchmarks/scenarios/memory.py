"""The everyday operations on an agent memory."""

import random
from functools import partial
from pathlib import Path

from benchmarks.corpora import memory as corpus
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.workspace import Workspace, copy_tree

FIRST = "first snapshot"
UNCHANGED = "unchanged snapshot"
DAY = "one day's changes"
RESTORE = "full restore"
VERIFY = "verify all data"
ONE_FILE = "one file"
DIFF = "diff"
LIST = "list"
HELP = "--help"


def memory(contest: Contest, plan: Plan, *, entities: int) -> None:
    """First, unchanged and daily snapshots, and everything read from them."""
    for run in contest.runs(plan.runs):
        with contest.run(run) as source:
            copy_tree(day_zero(contest.workspace, entities), source)
            contest.settle()  # and warm: it was just written
            contest.snapshot(FIRST, source, "day-000")
            contest.sizes("after the first snapshot")
            contest.snapshot(UNCHANGED, source, "day-000-again")
            contest.sizes("after an unchanged one")
            contest.floors(source)
            corpus.advance_day(source, run, SEED)
            expected = contest.warm(source)
            contest.snapshot(DAY, source, "day-001")
            contest.sizes("after one day's changes")
            contest.restore(RESTORE, expected)
            contest.ask(VERIFY, lambda peer: peer.verify())
            path, data = some_entity(source)
            contest.one_file(ONE_FILE, "day-001", path, data)
            contest.ask(DIFF, lambda peer: peer.diff("day-000", "day-001"))
            contest.ask(LIST, lambda peer: peer.list())


def startup(contest: Contest, plan: Plan) -> None:
    """Whole processes on a memory so small that starting is most of the work."""
    with contest.run(1) as source:
        copy_tree(day_zero(contest.workspace, 250), source)
        contest.warm(source)
        contest.snapshot(FIRST, source, "first")
        contest.floors(source)
        contest.warm(source)
        path, data = some_entity(source)
        for number in range(plan.startup_runs):
            contest.snapshot(UNCHANGED, source, f"again-{number:03d}", sample_memory=False)
        contest.ask(HELP, lambda peer: peer.help(), times=plan.startup_runs, sample_memory=False)
        contest.one_file(ONE_FILE, "first", path, data, times=plan.quick_runs)
        contest.ask(LIST, lambda peer: peer.list(), times=plan.quick_runs)


def day_zero(workspace: Workspace, entities: int) -> Path:
    """Return the cached memory of that many entities as it stands before its first day."""
    return workspace.cached(f"memory-{entities}", partial(corpus.build, entities=entities, seed=SEED))


def some_entity(source: Path) -> tuple[str, bytes]:
    """Choose an entity; return its path within the memory, and its bytes."""
    known = sorted(path for path in source.glob("entities/Learning/2*/**/*.json"))
    chosen = random.Random(SEED).choice(known)
    return str(chosen.relative_to(source)), chosen.read_bytes()
