"""Cleaning up by itself: it forgets what no rule keeps, once a day, says why, and never removes anything."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.model.record import Snapshot, SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations import cleanup
from icc_store.operations.cleanup import CleanupOptions, CleanupResult, clean_up, forget_by_policy
from icc_store.operations.forget import undelete
from icc_store.operations.gc import collect
from icc_store.operations.retention import default_policy, explicit_policy
from tests.support.snapshots import take

DAY = 86_400.0
ONE = {"home": explicit_policy(keep_last=1)}


def some(repository: Repository, count: int, **fields: object) -> list[Snapshot]:
    return [take(repository, {"number": b"%d" % number}, **fields) for number in range(count)]


def seqs(snapshots: object) -> list[int]:
    return [one.record.seq for one in snapshots]  # type: ignore[attr-defined]


def run(repository: Repository, **options: object) -> CleanupResult:
    done = clean_up(repository, options=CleanupOptions(ONE, **options), clock=repository.clock)  # type: ignore[arg-type]
    assert done is not None
    return done


def test_once_a_day(repository: Repository, clock: FixedClock) -> None:
    """The first call of a day forgets what no rule keeps; for a day nobody else does anything."""
    made = some(repository, 3)
    assert seqs(run(repository).forgotten) == [1, 2]
    some(repository, 2)
    assert clean_up(repository, options=CleanupOptions(ONE), clock=clock) is None
    assert seqs(repository.snapshots()) == [3, 4, 5]
    clock.sleep(DAY)
    assert seqs(run(repository).forgotten) == [3, 4]
    assert made[2].id not in {one.id for one in repository.snapshots()}


def test_it_only_forgets(repository: Repository, clock: FixedClock) -> None:
    """Everything can be brought back, until gc removes it a day later."""
    made = some(repository, 3)
    blocks = [number for number, _ in repository.objects.transaction.block_sizes()]
    run(repository)
    assert set(blocks) <= {number for number, _ in repository.objects.transaction.block_sizes()}
    undelete(repository, [made[0].id])
    assert seqs(repository.snapshots()) == [1, 3]
    clock.sleep(DAY)
    assert seqs(collect(repository, clock=clock).removed) == [2]


def test_pinned_and_last_ones_stay(repository: Repository, clock: FixedClock) -> None:
    """Whatever the policy: pinned ones, the last full one of a source, selective and imported ones stay."""
    made = some(repository, 3)
    repository.annotate(made[0].id, Subject.PIN, True)
    others = [take(repository, source="home", kind=kind) for kind in (SnapshotClass.SELECTIVE, SnapshotClass.IMPORT)]
    clock.sleep(1000 * DAY)
    run(repository)
    assert seqs(repository.snapshots()) == [1, 3, *seqs(others)]


def test_sources_that_are_not_named_are_left_alone(repository: Repository) -> None:
    """Without a policy for its source, no snapshot is even looked at."""
    some(repository, 3, source="thesis")
    some(repository, 3)
    done = run(repository)
    assert seqs(done.forgotten) == [4, 5]
    assert {one.snapshot.record.source for one in done.decisions} == {"home"}


def test_each_decision_is_logged_with_its_reason(repository: Repository, clock: FixedClock, tmp_path: Path) -> None:
    """One line for each snapshot, kept or not, with every rule that was against it, and what was done at the end."""
    some(repository, 2, name="a\nb")
    log = tmp_path / "state" / "cleanup.log"
    run(repository, log=log)
    first, second, last = log.read_text().splitlines()
    assert f" {repository.path}: forget " in first
    assert "a\\nb" in first
    assert first.endswith("'home': not among the newest 1")
    assert f" {repository.path}: keep " in second
    assert second.endswith("'home': last of its source, newest 1")
    assert last.endswith(f" {repository.path}: 1 forgotten")


def test_a_quiet_day_is_logged_as_well(repository: Repository, tmp_path: Path) -> None:
    """When all stay, their reasons are logged all the same."""
    some(repository, 1)
    run(repository, log=tmp_path / "log")
    assert [line.partition(": ")[2][:5] for line in (tmp_path / "log").read_text().splitlines()] == ["keep "]


def test_a_log_that_cannot_be_written_is_told_and_stops_nothing(repository: Repository, tmp_path: Path) -> None:
    """Where the log should be is a directory: a note says so, and what was to be forgotten is."""
    notes: list[str] = []

    class Listener(Monitor):
        def note(self, message: str) -> None:
            notes.append(message)

    some(repository, 2)
    os.mkdir(tmp_path / "log")
    options = CleanupOptions(ONE, log=tmp_path / "log")
    done = clean_up(repository, options=options, monitor=Listener(), clock=repository.clock)
    assert done is not None
    assert seqs(done.forgotten) == [1]
    assert [str(tmp_path / "log") in note for note in notes] == [True, True]


def test_time_is_bounded_and_the_oldest_go_first(
    repository: Repository, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When time is over, the newest of those that are to go wait for the next day; each run forgets at least some."""
    monkeypatch.setattr(cleanup, "_BATCH", 2)
    some(repository, 6)
    done = run(repository, most_seconds=0.0)
    assert (seqs(done.forgotten), done.postponed) == ([1, 2], 3)
    clock.sleep(DAY)
    assert seqs(run(repository).forgotten) == [3, 4, 5]


def test_out_of_turn(repository: Repository) -> None:
    """A full disk does not wait for the next day: the same policy, whenever the last time was."""
    some(repository, 2)
    run(repository)
    some(repository, 2)
    done = forget_by_policy(repository, options=CleanupOptions(ONE), clock=repository.clock)
    assert seqs(done.forgotten) == [2, 3]


def test_the_policy_of_the_defaults(repository: Repository, clock: FixedClock) -> None:
    """A year of daily snapshots: ten newest, all of a day, daily for 90 days, weekly for 26 weeks beyond."""
    for _ in range(365):
        take(repository)
        clock.sleep(DAY)
    options = CleanupOptions({"home": default_policy()})
    done = clean_up(repository, options=options, clock=clock)
    assert done is not None
    kept = [one for one in done.decisions if one.keep]
    assert 90 + 25 <= len(kept) <= 90 + 28
    assert len(done.forgotten) == 365 - len(kept)
