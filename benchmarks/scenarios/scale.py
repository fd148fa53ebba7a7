"""What more files, and more snapshots, cost: both should cost in proportion, or nothing."""

import time
from functools import partial
from itertools import pairwise

from benchmarks.corpora import memory as memory_corpus
from benchmarks.corpora import tiny as tiny_corpus
from benchmarks.peers import OURS, REFERENCES
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.growth import LAST
from benchmarks.scenarios.memory import FIRST, LIST, RESTORE, UNCHANGED, VERIFY, day_zero
from benchmarks.workspace import copy_tree

SNAPSHOT = "snapshot"


def many_files(contest: Contest, plan: Plan) -> None:
    """The same operations on ten times and a hundred times as many tiny files, while there is time."""
    for files, more in pairwise((*plan.many_files, 0)):
        begun = time.monotonic()
        _many_files(contest, files)
        if contest.time_left() < (time.monotonic() - begun) * more / files:
            contest.note(f"no time for {more:,} files")
            return


def _many_files(contest: Contest, files: int) -> None:
    source = contest.workspace.cached(f"tiny-spread-{files}", partial(tiny_corpus.build_spread, files=files, seed=SEED))
    with contest.run(1, only=(OURS, *REFERENCES)):
        expected = contest.warm(source)
        contest.snapshot(of_files(FIRST, files), source, "first")
        contest.sizes(f"after {files:,} files")
        contest.snapshot(of_files(UNCHANGED, files), source, "unchanged")
        contest.ask(of_files(VERIFY, files), lambda peer: peer.verify())
        contest.restore(of_files(RESTORE, files), expected)


def of_files(operation: str, files: int) -> str:
    """Return the name of an operation on so many files."""
    return f"{operation}, {files:,} files"


def many_snapshots(contest: Contest, plan: Plan) -> None:
    """One snapshot after the other, 20 entities changed in each: the last should take as long as the first."""
    with contest.run(1, only=(OURS,)) as source:
        copy_tree(day_zero(contest.workspace, plan.snapshot_entities), source)
        contest.settle()
        contest.snapshot(FIRST, source, "first")
        for number in range(1, plan.snapshots + 1):
            memory_corpus.use(source, number, SEED)
            contest.snapshot(SNAPSHOT, source, f"use-{number:04d}")
            if contest.time_left() < 0:
                contest.note(f"no time for more than {number} of {plan.snapshots} snapshots")
                break
        expected = contest.warm(source)
        contest.sizes(LAST)
        contest.restore(RESTORE, expected)
        contest.ask(VERIFY, lambda peer: peer.verify())
        contest.ask(LIST, lambda peer: peer.list(), times=plan.quick_runs)
