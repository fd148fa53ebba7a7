"""Many daily snapshots of one memory: how repositories grow, and what an old one still costs."""

from pathlib import Path

from benchmarks.compare import Tree
from benchmarks.corpora import memory as corpus
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.memory import FIRST, LIST, ONE_FILE, RESTORE, VERIFY, day_zero, some_entity
from benchmarks.workspace import copy_tree

DAILY = "daily snapshot"
ONE_NEW = f"{ONE_FILE}, newest"
ONE_OLD = f"{ONE_FILE}, oldest"
DIFF_DAY = "diff of two days"
DIFF_ALL = "diff of first and last"
OPTIMIZE = "rewrite for size"
OPTIMIZED_RESTORE = f"{RESTORE}, rewritten"
GC = "gc to a third"
LAST = "after the last snapshot"
OPTIMIZED = "after rewriting for size"
PRUNED = "after gc to a third"


def growth(contest: Contest, plan: Plan, *, entities: int) -> None:
    """A snapshot a day, then reading old and new ones, rewriting for size, and, from where that began, pruning."""
    with contest.run(1) as source:
        copy_tree(day_zero(contest.workspace, entities), source)
        contest.settle()
        first_file = some_entity(source)
        contest.snapshot(FIRST, source, label(0))
        contest.sizes("after the first snapshot")
        days = _live_through(contest, source, plan.days)
        expected = contest.warm(source)
        contest.sizes(LAST)
        contest.restore(RESTORE, expected)
        contest.ask(VERIFY, lambda peer: peer.verify())
        newest = some_entity(source)
        contest.one_file(ONE_NEW, label(days), *newest, times=plan.quick_runs)
        contest.one_file(ONE_OLD, label(0), *first_file, times=plan.quick_runs)
        contest.ask(DIFF_DAY, lambda peer: peer.diff(label(days - 1), label(days)))
        contest.ask(DIFF_ALL, lambda peer: peer.diff(label(0), label(days)))
        contest.ask(LIST, lambda peer: peer.list(), times=plan.quick_runs)
        with contest.undone():
            rewrite(contest, expected)
            contest.one_file(f"{ONE_NEW}, rewritten", label(days), *newest)
            contest.one_file(f"{ONE_OLD}, rewritten", label(0), *first_file)
        keep = max(1, days // 3)
        contest.ask(GC, lambda peer: peer.prune(keep))
        contest.sizes(PRUNED)
        contest.one_file(f"{ONE_FILE}, after gc", label(days), *newest)


def rewrite(contest: Contest, expected: Tree) -> None:
    """Rewrite the repositories for size, and read from them what was there before."""
    contest.ask(OPTIMIZE, lambda peer: peer.optimize())
    contest.sizes(OPTIMIZED)
    contest.restore(OPTIMIZED_RESTORE, expected)


def label(day: int) -> str:
    """Return the label of a day's snapshot."""
    return f"day-{day:03d}"


def _live_through(contest: Contest, source: Path, days: int) -> int:
    """Take a snapshot of each day; return how many days there was time for."""
    for day in range(1, days + 1):
        if contest.time_left() < 0 and day > 1:
            contest.note(f"no time for more than {day - 1} of {days} days")
            return day - 1
        changes = corpus.advance_day(source, day, SEED)
        contest.note(f"day {day}: {changes.summary()}")
        contest.settle()
        contest.snapshot(DAILY, source, label(day))
        contest.sizes(f"after day {day}")
    return days
