"""What changed in a memory over many daily snapshots: by entity, through its history, line by line, and by text.

Only icc-store and git can be asked. Their answers are compared: both must name the same entities and the same days.
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from benchmarks.corpora import memory as corpus
from benchmarks.corpora.memory import DayChanges
from benchmarks.peers import OURS
from benchmarks.peers.protocol import Peer
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.growth import DAILY, LAST, label
from benchmarks.scenarios.memory import FIRST, day_zero
from benchmarks.workspace import copy_tree

ASKED = (OURS, "git")


def entities(contest: Contest, plan: Plan, *, entities: int) -> None:
    """A snapshot a day; then diff by entity, history, blame and search."""
    with contest.run(1, only=ASKED) as source:
        copy_tree(day_zero(contest.workspace, entities), source)
        contest.warm(source)
        contest.snapshot(FIRST, source, label(0))
        days: list[DayChanges] = []
        for day in range(1, plan.days + 1):
            days.append(corpus.advance_day(source, day, SEED))
            contest.settle()
            contest.snapshot(DAILY, source, label(day))
        contest.sizes(LAST)
        _ask(contest, source, days)


def _ask(contest: Contest, source: Path, days: Sequence[DayChanges]) -> None:
    newest = label(len(days))
    yesterday = label(len(days) - 1)
    contest.answers("diff of two days", lambda peer, to: peer.diff_entities(yesterday, newest, to), _diff)
    contest.answers("diff of first and last", lambda peer, to: peer.diff_entities(label(0), newest, to), _diff)
    path = _often_used(days, source)
    contest.answers("history of an entity", lambda peer, to: peer.history(path, to), _history)
    removed = [path for day in days for path in day.removed]
    if removed:
        contest.answers("history of a deleted one", lambda peer, to: peer.history(removed[0], to), _history)
    contest.answers("blame of its lines", lambda peer, to: peer.blame(path, to), _blame)
    text = json.loads((source / path).read_bytes())["context"]["task_id"]
    contest.answers("search in all snapshots", lambda peer, to: peer.search(text, to), _search)


def _often_used(days: Sequence[DayChanges], source: Path) -> str:
    """Return the path of the learning that was used on most days."""
    used = Counter(_stem(path) for day in days for path in day.bumped if path.startswith("entities/Learning/"))
    for stem, _ in used.most_common():
        for path in source.glob(f"entities/Learning/**/{stem}.json"):
            return str(path.relative_to(source))
    raise LookupError("no learning that was used is left: more days are needed")


def _diff(peer: Peer, output: Path) -> set[str]:
    """Return the ids of the entities that differ."""
    if peer.name == OURS:
        return {row["id"] for row in _rows(output)}
    lines = output.read_text().splitlines()
    return {_stem(line) for line in lines if line.startswith("diff --git ")}


def _history(peer: Peer, output: Path) -> list[str]:
    """Return the days on which the entity changed, the newest first."""
    if peer.name == OURS:
        return [row["snapshot"]["name"] for row in _rows(output)][::-1]
    return [line[1:] for line in output.read_text().splitlines() if line.startswith("\x01")]


def _blame(peer: Peer, output: Path) -> list[str]:
    """Return the day of each line."""
    if peer.name == OURS:
        return [row["entered"]["name"] for row in _rows(output)]
    lines = output.read_text().splitlines()
    return [line.removeprefix("summary ") for line in lines if line.startswith("summary ")]


def _search(peer: Peer, output: Path) -> dict[str, int]:
    """Return for each entity in how many snapshots it contains the text."""
    if peer.name == OURS:
        return {row["id"]: row["snapshots"] for row in _rows(output)}
    found = {(line.partition(":")[0], _stem(line)) for line in output.read_text().splitlines()}
    return dict(Counter(stem for _, stem in found))


def _rows(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.read_text().splitlines()]


def _stem(path: str) -> str:
    return PurePosixPath(path).stem
