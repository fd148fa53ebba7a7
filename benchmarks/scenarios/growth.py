"""Many daily snapshots of one memory: how repositories grow, and what an old one still costs."""

from pathlib import Path

from benchmarks.compare import Tree
from benchmarks.corpora import memory as corpus
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest, warm
from benchmarks.scenarios.memory import FIRST, ONE_FILE, RESTORE, VERIFY, day_zero, some_entity
from benchmarks.workspace import copy_tree

DAILY = "daily snapshot"
LAST_DAY = "after the last day"
OPTIMIZED = "after rewriting for size"
PRUNED = "after pruning to a third"


def growth(contest: Contest, plan: Plan, *, entities: int) -> None:
    """A snapshot a day, then reading old and new ones, rewriting for size, and pruning."""
    with contest.run(1) as source:
        copy_tree(day_zero(contest.workspace, entities), source)
        warm(source)
        first_file = some_entity(source)
        contest.snapshot(FIRST, source, label(0))
        contest.sizes("after the first snapshot")
        expected = _live_through(contest, source, plan.days)
        contest.sizes(LAST_DAY)
        _read_back(contest, source, plan.days, expected, first_file)
        contest.ask("rewrite for size", lambda peer: peer.optimize())
        contest.sizes(OPTIMIZED)
        keep = max(1, plan.days // 3)
        contest.ask("prune to a third", lambda peer: peer.prune(keep))
        contest.sizes(PRUNED)
        contest.one_file(f"{ONE_FILE}, after pruning", label(plan.days), *some_entity(source))


def label(day: int) -> str:
    """Return the label of a day's snapshot."""
    return f"day-{day:03d}"


def _live_through(contest: Contest, source: Path, days: int) -> Tree:
    expected: Tree = {}
    for day in range(1, days + 1):
        changes = corpus.advance_day(source, day, SEED)
        contest.note(f"day {day}: {changes.summary()}")
        expected = warm(source)
        contest.snapshot(DAILY, source, label(day))
        if day % 10 == 0 and day != days:
            contest.sizes(f"after day {day}")
    return expected


def _read_back(contest: Contest, source: Path, days: int, expected: Tree, first_file: tuple[str, bytes]) -> None:
    contest.restore(RESTORE, expected)
    contest.ask(VERIFY, lambda peer: peer.verify())
    contest.one_file(f"{ONE_FILE}, newest", label(days), *some_entity(source))
    contest.one_file(f"{ONE_FILE}, oldest", label(0), *first_file)
    contest.ask("diff of two days", lambda peer: peer.diff(label(days - 1), label(days)))
    contest.ask("diff of first and last", lambda peer: peer.diff(label(0), label(days)))
    contest.ask("list", lambda peer: peer.list())
