"""What is due is done, once, whenever it is asked for; what fails is told and does not stop the rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError, PartialResult, SourceError
from icc_store.model.repository import Repository
from icc_store.model.tree import find_entry
from icc_store.opening import create_repository, open_repository
from icc_store.operations.cleanup import CleanupOptions
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.run_due import Charge, Chore, Done, DueOptions, last_time, run_due
from icc_store.operations.schedule import Every, TimeOfDay
from icc_store.operations.snapshot_options import SnapshotOptions
from tests.support.damage import block_of, damage_block
from tests.support.live import DAY, fill, snap
from tests.support.ordinary import ordinarily
from tests.support.restoring import FILES
from tests.support.shelf import noise

HOUR = 3600.0


def ns(text: str) -> int:
    """A time in UTC, as it is written."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(ns("2026-11-02 10:00"))


@pytest.fixture
def charge(tmp_path: Path) -> Charge:
    fill(tmp_path / "source", FILES)
    return Charge(tmp_path / "source", SnapshotOptions(source="home", host="here"), tmp_path / "tmp")


def due(repository: Repository, *charges: Charge, **options: object) -> dict[Chore, Done]:
    """One call: what came of each chore."""
    given = DueOptions(**options)  # type: ignore[arg-type]
    done = run_due(repository, charges, options=given, clock=repository.clock)
    return {one.chore: one for one in done}


def did(done: dict[Chore, Done]) -> set[Chore]:
    """The chores that were due, all of which must have gone well."""
    assert [one.error for one in done.values() if one.error] == []
    return {chore for chore, one in done.items() if one.due}


def on_days(clock: FixedClock, *days: int) -> Iterator[int]:
    """These days after now, one after the other, each at this hour."""
    began = clock.ns
    for day in days:
        clock.ns = began + day * int(DAY) * 10**9
        yield day


def test_a_second_call_does_nothing(repository: Repository, charge: Charge) -> None:
    """The first one takes a snapshot; the next, at the same hour or a minute before the next, finds nothing due."""
    assert did(due(repository, charge)) == {Chore.SNAPSHOT, Chore.CLEANUP}
    assert did(due(repository, charge)) == set()
    repository.clock.sleep(16 * HOUR + 59 * 60)  # 02:59
    assert did(due(repository, charge)) == set()
    assert len(repository.snapshots()) == 1


def test_a_missed_night_is_made_up_for(repository: Repository, charge: Charge) -> None:
    """A machine that slept through three nights takes one snapshot at the first call afterwards."""
    due(repository, charge)
    repository.clock.sleep(3 * DAY)
    assert did(due(repository, charge)) == {Chore.SNAPSHOT, Chore.CLEANUP}
    assert did(due(repository, charge)) == set()
    assert len(repository.snapshots()) == 2


def test_an_unchanged_source_has_its_snapshot_too(repository: Repository, charge: Charge) -> None:
    """Each day has one, so that its age says whether somebody takes care."""
    for _ in range(5):
        due(repository, charge)
        repository.clock.sleep(DAY)
    assert len(repository.snapshots()) == 5


def test_the_hour_is_the_one_that_was_asked_for(repository: Repository, charge: Charge) -> None:
    """A snapshot of 10:00 is of before 11:00, and of after 09:00."""
    due(repository, charge)
    repository.clock.sleep(2 * HOUR)
    assert Chore.SNAPSHOT not in did(due(repository, charge, daily=TimeOfDay(9, 0)))
    assert Chore.SNAPSHOT in did(due(repository, charge, daily=TimeOfDay(11, 0)))


def test_a_snapshot_from_the_future_does_not_count(repository: Repository, charge: Charge, clock: FixedClock) -> None:
    """A clock that was wrong for an hour does not stop the snapshots of a year."""
    clock.sleep(365 * DAY)
    snap(repository, charge.path)
    clock.sleep(-365 * DAY)
    assert Chore.SNAPSHOT in did(due(repository, charge))
    assert Chore.SNAPSHOT not in did(due(repository, charge))


def test_verify_comes_each_week(repository: Repository, charge: Charge, clock: FixedClock) -> None:
    """A week after the first snapshot, then a week after each verify, whoever did it; never when that was asked."""
    due(repository, charge)
    days = [day for day in on_days(clock, 6, 7, 8, 13, 14, 20, 21) if Chore.VERIFY in did(due(repository, charge))]
    assert days == [7, 14, 21]
    repository.clock.sleep(100 * DAY)
    assert did(due(repository, charge, verify=Every.NEVER, drill=Every.NEVER)) == {Chore.SNAPSHOT, Chore.CLEANUP}


def test_drills_come_each_month(repository: Repository, charge: Charge, clock: FixedClock) -> None:
    """Thirty days after the first snapshot, then thirty days after each drill; nothing is left of them."""
    due(repository, charge)
    days = [day for day in on_days(clock, 29, 30, 31, 59, 60) if Chore.DRILL in did(due(repository, charge))]
    assert days == [30, 60]
    assert list(charge.place.iterdir()) == []
    assert repository.snapshots()[-1].drilled_ns == clock.now_ns()


def broken(repository: Repository, tmp_path: Path) -> Charge:
    """A source whose first snapshot is damaged, while its file has gone."""
    fill(tmp_path / "source", {"bad": noise(1, 400_000), "good": noise(2, 400_000)})
    snapshot = snap(repository, tmp_path / "source")
    found = find_entry(repository.objects, snapshot.record.root, b"bad")
    assert found is not None
    damage_block(repository, block_of(repository, found[0].chunk))
    return Charge(tmp_path / "source", SnapshotOptions(source="home", host="here"), tmp_path / "tmp")


def test_what_failed_is_tried_again_a_day_later(repository: Repository, tmp_path: Path) -> None:
    """Damage is told by the call that finds it; the next ones do not read everything again every hour."""
    charge = broken(repository, tmp_path)
    options = {"verify": Every.DAILY, "drill": Every.DAILY}
    repository.clock.sleep(DAY)
    done = due(repository, charge, **options)
    assert isinstance(done[Chore.VERIFY].error, DamageError)
    assert isinstance(done[Chore.DRILL].error, DamageError)
    assert done[Chore.SNAPSHOT].error is None
    repository.clock.sleep(HOUR)
    assert did(due(repository, charge, **options)) == set()
    repository.clock.sleep(DAY)
    done = due(repository, charge, **options)
    assert done[Chore.VERIFY].due
    assert done[Chore.DRILL].due


def test_one_chore_that_fails_does_not_stop_the_others(repository: Repository, charge: Charge, tmp_path: Path) -> None:
    """A directory that is gone is told, and the others have their snapshot, their verify and their drill."""
    due(repository, charge)
    repository.clock.sleep(31 * DAY)
    gone = Charge(tmp_path / "gone", SnapshotOptions(source="gone", host="here"), tmp_path / "tmp")
    done = run_due(repository, [gone, charge], clock=repository.clock)
    wrong = [one for one in done if one.error]
    assert [(one.chore, one.about) for one in wrong] == [(Chore.SNAPSHOT, str(tmp_path / "gone"))]
    assert isinstance(wrong[0].error, SourceError)
    assert {one.chore for one in done if one.due} == {Chore.SNAPSHOT, Chore.CLEANUP, Chore.VERIFY, Chore.DRILL}


def test_each_source_is_drilled_by_itself(repository: Repository, charge: Charge, tmp_path: Path) -> None:
    """A drill of one source that fails every time does not take the turn of another."""
    fill(tmp_path / "other", FILES)
    other = Charge(tmp_path / "other", SnapshotOptions(source="other", host="here"), tmp_path / "tmp")
    bad = Charge(charge.path, charge.options, tmp_path / "source/a")  # a file cannot hold a directory
    run_due(repository, [bad, other], clock=repository.clock)
    repository.clock.sleep(31 * DAY)
    done = [one for one in run_due(repository, [bad, other], clock=repository.clock) if one.chore is Chore.DRILL]
    assert [one.error is None for one in done] == [False, True]


def test_what_was_forgotten_is_removed_a_day_later(repository: Repository, charge: Charge) -> None:
    """gc is due when a forgotten snapshot can no longer be brought back; it forgets nothing by itself."""
    due(repository, charge)
    first = repository.snapshots()[0]
    for _ in range(40):
        repository.clock.sleep(60.0)
        snap(repository, charge.path)
    forget(repository, [first.id], options=ForgetOptions())
    assert Chore.GC not in did(due(repository, charge))
    repository.clock.sleep(400 * DAY)
    done = due(repository, charge, verify=Every.NEVER, drill=Every.NEVER, cleanup=CleanupOptions)
    assert did(done) == {Chore.SNAPSHOT, Chore.CLEANUP, Chore.GC}
    assert len(repository.snapshots(forgotten=True)) == 41
    assert first.id not in {one.id for one in repository.snapshots(forgotten=True)}


def partial(place: Path) -> None:
    create_repository(place / "repository")
    fill(place / "source", {"a": b"a", "secret": b"s"})
    (place / "source/secret").chmod(0)
    with open_repository(place / "repository") as repository:
        done = run_due(repository, [Charge(place / "source", SnapshotOptions(), place / "tmp")])
        assert isinstance(done[0].error, PartialResult)
        assert done[0].error.message == f"{place / 'source'}: 1 file could not be read; the rest is stored"
        assert [path for path, _ in done[0].problems] == [b"secret"]
        assert [one.chore for one in done if one.due and one.error is None] == [Chore.CLEANUP]
        assert len(repository.snapshots()) == 1
        again = run_due(repository, [Charge(place / "source", SnapshotOptions(), place / "tmp")])
        assert not again[0].due


def test_an_unreadable_file_is_told_once_a_day() -> None:
    """The snapshot without it counts as that day's; the call that took it names the file and ends with the error."""
    ordinarily(partial)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-02 10:00", "2026-11-02 03:00"),
        ("2026-11-02 03:00", "2026-11-02 03:00"),
        ("2026-11-02 02:59", "2026-11-01 03:00"),
        ("2026-03-01 00:00", "2026-02-28 03:00"),
    ],
)
def test_when_it_was_last_that_time(now: str, last: str) -> None:
    """The time of today when it has been, else that of yesterday."""
    assert last_time(TimeOfDay(3, 0), ns(now)) == ns(last)
