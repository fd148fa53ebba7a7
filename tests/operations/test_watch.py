"""Watching takes a snapshot when it is time, on real files and a clock that is moved by what sleeps on it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import BusyError
from icc_store.model.record import Snapshot
from icc_store.opening import create_repository, open_repository
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.snapshot_options import SnapshotOptions
from icc_store.operations.watch import Event, WatchOptions, watch
from tests.support.entities import entity_file
from tests.support.live import NOW, fill, put
from tests.support.memories import MEMORY

SETTLE, LEAST = 30.0, 300.0

Plan = Mapping[float, Callable[[], object]]
"""What happens at which second."""


class Day(FixedClock):
    """A clock on which things happen: each at its second after the beginning."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(NOW)
        self._plan = sorted(plan.items())

    @property
    def second(self) -> float:
        """Seconds since the beginning."""
        return (self.ns - NOW) / 1e9

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        while self._plan and self._plan[0][0] <= self.second:
            self._plan.pop(0)[1]()


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    fill(tmp_path / "memory", MEMORY)
    create_repository(tmp_path / "repository")
    return tmp_path / "memory"


def run(
    memory: Path, plan: Plan, until: float, *, failing: Container[int] = (), **options: float
) -> list[tuple[int, Event]]:
    """Watch until that second. Gives each event with its second. `failing`: numbers of the tries that fail."""
    clock, tries = Day(plan), iter(range(1, 1000))

    def take() -> Snapshot | None:
        if next(tries) in failing:
            raise BusyError("somebody else holds it")
        with open_repository(memory.parent / "repository", clock=clock) as repository:
            asked = SnapshotOptions(source="home", host="here", skip_if_unchanged=True)
            return take_snapshot(repository, [memory], options=asked, clock=clock).snapshot

    given = WatchOptions(**({"settle": SETTLE, "at_most_every": LEAST, "look_every": 1.0} | options))  # type: ignore[arg-type]
    return [
        (int(clock.second), event)
        for event in watch(memory, take, lambda: clock.second >= until, options=given, clock=clock)
    ]


def write(memory: Path, name: str, text: str = "x") -> Callable[[], object]:
    """Writing that file, later."""
    return lambda: put(memory / name, text.encode(), mtime_ns=None)


def test_the_beginning_is_stored(memory: Path) -> None:
    """What changed while nobody watched is stored at once; when nothing changes after that, nothing happens."""
    ((second, event),) = run(memory, {}, until=1000)
    assert second == 0
    assert event.snapshot is not None
    again = run(memory, {}, until=1000)
    assert [event.snapshot for _, event in again] == [None]


def test_a_change_is_stored_when_it_has_settled(memory: Path) -> None:
    """Half a minute after the last of several changes, once."""
    plan = {400.0 + each: write(memory, f"new{each}") for each in range(0, 50, 10)}
    events = run(memory, plan, until=1000)
    assert [second for second, _ in events] == [0, 470]
    assert events[1][1].snapshot is not None


def test_snapshots_keep_their_distance(memory: Path) -> None:
    """However often a memory settles, there are so many seconds between two snapshots at least."""
    plan = {float(each): write(memory, "a", str(each)) for each in range(10, 2000, 100)}
    seconds = [second for second, _ in run(memory, plan, until=2000)]
    assert len(seconds) >= 5
    assert all(later - sooner >= LEAST for sooner, later in pairwise(seconds[:-1]))


def test_what_never_settles_is_stored_all_the_same(memory: Path) -> None:
    """A memory that changes every second waits ten times the settling time, and not for ever."""
    plan = {float(each): write(memory, "a", str(each)) for each in range(10, 1000)}
    events = run(memory, plan, until=900, at_most_every=0.0)
    assert [second for second, _ in events][:3] == [0, 310, 611]
    assert "changing" in events[1][1].reason


def test_learning_is_stored_at_once(memory: Path) -> None:
    """So many new entities do not wait; fewer do, and so do files that are none."""

    def learn(first: int, count: int) -> Callable[[], object]:
        files = [entity_file(f"new{number}-20250603") for number in range(first, first + count)]
        return lambda: [put(memory / name, data) for name, data in files]

    plan = {5.0: learn(0, 4), 8.0: write(memory, "notes.txt"), 20.0: learn(4, 1), 24.0: learn(5, 5)}
    events = run(memory, plan, until=40, new_entities=5)
    assert [second for second, _ in events] == [0, 20, 24]
    assert [event.reason for _, event in events[1:]] == ["5 new entities"] * 2


def test_what_is_pending_at_the_end_is_stored(memory: Path) -> None:
    """A request to stop does not lose the last half minute; without any change nothing is stored."""
    events = run(memory, {995.0: write(memory, "last")}, until=1000)
    assert [second for second, _ in events] == [0, 1000]
    assert events[1][1].snapshot is not None
    assert len(run(memory, {}, until=1000)) == 1


def test_a_failure_is_tried_again_ever_later(memory: Path) -> None:
    """The watch goes on: after 30 s, a minute, two, and when it succeeds nothing is lost."""
    events = run(memory, {50.0: write(memory, "a")}, until=1000, failing={1, 2, 3})
    assert [second for second, _ in events] == [0, 30, 90, 210]
    assert [event.retry_seconds for _, event in events] == [30, 60, 120, 0]
    assert [event.error is None for _, event in events] == [False, False, False, True]
    assert events[3][1].snapshot is not None


def test_failures_never_wait_longer_than_an_hour(memory: Path) -> None:
    """A disk that was full for a night is tried again within the hour."""
    events = run(memory, {}, until=40_000, failing=range(1, 1000), look_every=30.0)
    assert max(event.retry_seconds for _, event in events) == 3600
    gaps = [later - sooner for (sooner, _), (later, _) in pairwise(events[:-1])]
    assert max(gaps) <= 3630


def test_the_last_try_is_told_as_such(memory: Path) -> None:
    """A failure at the end is not tried again, and its event says so."""
    events = run(memory, {995.0: write(memory, "last")}, until=1000, failing={2})
    assert events[-1][1].error is not None
    assert events[-1][1].retry_seconds == 0


def test_a_memory_that_goes_away_ends_nothing(memory: Path) -> None:
    """While it is gone snapshots fail and are tried again; when it is back it is watched as before."""
    away = memory.with_name("away")
    plan: Plan = {400.0: lambda: memory.rename(away), 500.0: lambda: away.rename(memory)}
    events = run(memory, {**plan, 600.0: write(memory, "new")}, until=2000)
    assert any(event.error for second, event in events if 400 < second < 500)
    assert events[-1][1].snapshot is not None
    assert events[-1][1].error is None
