"""A power failure at any moment: what was promised is there, and the work goes on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from tests.power.disk import Disk, Kept
from tests.power.recording import Event, Recording, What
from tests.power.replay import LOCKS, Report, replay, states

SEED = 1


def without(life: Recording, events: Iterable[Event]) -> Report:
    """What comes of a recording in which these events had not happened."""
    missing = {id(event) for event in events}
    poorer = replace(life, events=tuple(event for event in life.events if id(event) not in missing))
    tried = islice(states(poorer.events, Disk(poorer), seed=SEED, share=0.2), 60)
    return replay(tried, seed=SEED, next_runs=0)


def test_the_recording_is_complete(life: Recording) -> None:
    """All events, one after the other, make the very files that the run has left, but for LMDB's table of readers."""
    disk = Disk(life)
    for event in life.events:
        disk.apply(event)
    told = disk.image(Kept())
    found = {str(path.relative_to(life.root)): path for path in life.root.rglob("*")}
    assert told.keys() == found.keys()
    contents = {name: None if path.is_dir() else path.read_bytes() for name, path in found.items()}
    assert [name for name in told if told[name] != contents[name] and name.rpartition("/")[2] not in LOCKS] == []


def test_any_power_failure(life: Recording) -> None:
    """After it the repositories open, show what was promised, are whole, and can be worked on."""
    report = replay(states(life.events, Disk(life), seed=SEED, share=0.015), seed=SEED, next_runs=0.2)
    assert report.states.total() > 100
    assert set(report.states) == {"kept", "lost", "in part", "torn pages", "torn sectors"}
    assert not report.failures, "\n".join(report.failures)


def test_a_power_failure_while_a_repository_is_made(life: Recording) -> None:
    """There is none yet, or a whole one."""
    first = next(number for number, event in enumerate(life.events) if event.what is What.MARK and number)
    begin = life.events[: first + 1]
    report = replay(states(begin, Disk(life), seed=SEED, tries=4), seed=SEED, next_runs=1)
    assert not report.failures, "\n".join(report.failures)


def test_a_power_failure_while_a_repaired_database_takes_its_place(life: Recording) -> None:
    """The repository is the old one or the new one, never half of each."""
    start = next(number for number, event in enumerate(life.events) if event.other.endswith("damaged.mdb"))
    end = next(number for number in range(start, len(life.events)) if life.events[number].what is What.MARK)
    found = states(life.events[: end + 1], Disk(life), seed=SEED, start=start, tries=2)
    report = replay(found, seed=SEED, next_runs=0.2)
    assert report.states.total() > 10
    assert not report.failures, "\n".join(report.failures)


def test_a_missing_sync_of_contents_is_found(life: Recording) -> None:
    """The replay notices if the store did not sync its pages before it commits them."""
    data = {event.inode for event in life.events if event.path.endswith("/data.mdb")}
    report = without(life, (event for event in life.events if event.what is What.SYNC and event.inode in data))
    assert report.failures


def test_a_missing_sync_of_names_is_found(life: Recording) -> None:
    """The replay notices if the names of a repository's files were not synced."""
    folders = {life.inode} | {event.inode for event in life.events if event.what is What.MKDIR}
    report = without(life, (event for event in life.events if event.what is What.SYNC and event.inode in folders))
    assert report.failures


def test_a_head_that_runs_ahead_is_found(life: Recording) -> None:
    """The replay notices if `head` were written through before the commit that it speaks of is safe."""
    data = {event.inode for event in life.events if event.path.endswith("/data.mdb")}
    report = without(life, (event for event in life.events if event.what is What.SYNC_RANGE and event.inode in data))
    assert any("RepositoryRolledBack" in failure for failure in report.failures), report.failures
