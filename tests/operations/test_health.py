"""Health tells what is wrong with backups, how bad it is and what would help; what is well it calls well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import SnapshotNotFound
from icc_store.limits import GIB, MIB
from icc_store.model.record import Counters, SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.model.upkeep import KnownCopy
from icc_store.opening import create_copy, open_repository
from icc_store.operations.copy import copy_repository
from icc_store.operations.health import Health, HealthOptions, Level, Sign, check_health, judge
from icc_store.operations.health_facts import Facts, Growth, gather
from icc_store.operations.schedule import Installed, Schedule, TimeOfDay
from icc_store.operations.verify import verify
from tests.support.live import DAY, fill, snap
from tests.support.restoring import FILES
from tests.support.snapshots import take

ELSEWHERE = KnownCopy(Path("/elsewhere"), 1, elsewhere=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


def health(repository: Repository, **options: object) -> Health:
    given = HealthOptions(**({"host": "here", "min_free": 0} | options))  # type: ignore[arg-type]
    return check_health(repository, options=given, clock=repository.clock)


def sign(found: Health, subject: str) -> Sign:
    """The one sign of this subject."""
    (one,) = [each for each in found.signs if each.subject == subject]
    return one


def levels(found: Health) -> dict[str, Level]:
    """How bad each thing is."""
    return {each.subject: each.level for each in found.signs}


def test_a_young_repository_is_well_but_for_its_disk(repository: Repository, source: Path) -> None:
    """After the first snapshot only one thing is wrong: source and repository die together."""
    snap(repository, source)
    found = health(repository)
    assert [each.subject for each in found.signs if each.level] == ["copy"]
    assert found.level is Level.WARNING
    assert sign(found, "copy").advice[0] == "copy"
    assert set(levels(found)) == {"age", "verify", "drill", "room", "copy", "schedule"}


def test_nothing_is_the_worst(repository: Repository) -> None:
    """A repository without a full snapshot backs nothing up."""
    take(repository, {"a": b"a"}, kind=SnapshotClass.SELECTIVE)
    found = health(repository)
    assert found.level is Level.CRITICAL
    assert found.signs[0].advice == ("snapshot",)


@pytest.mark.parametrize(
    ("days", "level"), [(1, Level.OK), (2, Level.WARNING), (6, Level.WARNING), (7, Level.CRITICAL)]
)
def test_age(repository: Repository, source: Path, days: int, level: Level) -> None:
    """A night may be missed, a week may not; the advice is the snapshot that is missing."""
    snap(repository, source)
    repository.clock.sleep(days * DAY)
    take(repository, {"a": b"a"}, kind=SnapshotClass.SELECTIVE)  # no full one: it does not count
    found = sign(health(repository), "age")
    assert found.level is level
    assert found.advice == (("snapshot", str(source)) if level else ())


def test_each_source_has_its_age(repository: Repository) -> None:
    """An old source beside a young one is told by its name; `sources` says which are looked at."""
    take(repository, {"a": b"a"}, source="old")
    repository.clock.sleep(8 * DAY)
    take(repository, {"a": b"a"}, source="young")
    found = health(repository)
    assert [(each.source, each.level) for each in found.signs if each.subject == "age"] == [
        ("old", Level.CRITICAL),
        ("young", Level.OK),
    ]
    assert found.signs[0].source == "old"
    assert {each.source for each in health(repository, sources=("young",)).signs} == {"young", ""}
    with pytest.raises(SnapshotNotFound, match="nobody"):
        health(repository, sources=("nobody",))


def test_a_snapshot_from_the_future_is_young(repository: Repository, clock: FixedClock) -> None:
    """A clock that goes wrong makes no age negative."""
    take(repository, {"a": b"a"}, time_ns=clock.now_ns() + 10**18)
    assert sign(health(repository), "age").level is Level.OK


def test_verify_is_missed_after_two_weeks(repository: Repository, source: Path) -> None:
    """Counted from the first snapshot, then from the last verify, whether of everything or of one snapshot."""
    snap(repository, source)
    repository.clock.sleep(13 * DAY)
    assert sign(health(repository), "verify").level is Level.OK
    repository.clock.sleep(DAY)
    assert sign(health(repository), "verify") == Sign(
        Level.WARNING, "verify", "home", "never verified; the oldest snapshot is 14d old", ("verify",)
    )
    verify(repository, clock=repository.clock)
    assert sign(health(repository), "verify").message == "verified less than an hour ago"
    repository.clock.sleep(14 * DAY)
    assert sign(health(repository), "verify").level is Level.WARNING
    verify(repository, repository.snapshots()[0], clock=repository.clock)
    assert sign(health(repository), "verify").level is Level.OK


def test_drills_are_missed_after_two_months(repository: Repository, source: Path) -> None:
    """And one that failed is critical until one passes."""
    snapshot = snap(repository, source)
    repository.clock.sleep(60 * DAY)
    assert sign(health(repository), "drill").level is Level.WARNING
    repository.annotate(snapshot.id, Subject.DRILLED, "a: it is gone")
    failed = sign(health(repository), "drill")
    assert failed.level is Level.CRITICAL
    assert "a: it is gone" in failed.message
    assert failed.advice == ("drill", "--source", "home")
    repository.clock.sleep(1)
    repository.annotate(snapshot.id, Subject.DRILLED, True)
    assert sign(health(repository), "drill").level is Level.OK


def test_damage_in_the_newest_is_critical(repository: Repository, source: Path) -> None:
    """An old snapshot that is damaged needs attention; the newest one needs a new snapshot."""
    old = snap(repository, source)
    assert "suspect" not in levels(health(repository))
    newest = snap(repository, source)
    repository.annotate(old.id, Subject.SUSPECT, "not all of it can be read back")
    assert sign(health(repository), "suspect").level is Level.WARNING
    repository.annotate(newest.id, Subject.SUSPECT, "not all of it can be read back")
    found = sign(health(repository), "suspect")
    assert (found.level, found.advice) == (Level.CRITICAL, ("snapshot", str(source)))


def test_a_source_that_is_gone_is_told(repository: Repository, source: Path, tmp_path: Path) -> None:
    """What is not there cannot be backed up: the advice is to restore it. Another machine's paths are its own."""
    snap(repository, source)
    source.rename(tmp_path / "moved")
    found = sign(health(repository), "age")
    assert found.level is Level.WARNING
    assert "is gone" in found.message
    assert found.advice[0] == "restore"
    assert sign(health(repository, host="another"), "age").level is Level.OK


def test_free_space(repository: Repository) -> None:
    """Below what is to be kept free snapshots are refused; that is critical."""
    take(repository, {"a": b"a"})
    assert sign(health(repository), "room").level is Level.OK
    assert sign(health(repository, min_free=1 << 62), "room").level is Level.CRITICAL


def test_growth_is_what_was_added_since_the_first(repository: Repository, clock: FixedClock) -> None:
    """The first snapshot is the size, the later ones the growth: a day's mean of a week, a week's mean of four."""
    take(repository, {"a": b"a"}, counters=Counters(added_stored=10**9))
    for _ in range(4):
        clock.sleep(7 * DAY)
        take(repository, {"a": b"a"}, counters=Counters(added_stored=7000))
    facts = gather(repository, host="here", now_ns=clock.now_ns())
    assert facts.growth == facts.sources[0].growth == Growth(per_day=1000, per_week=7000)
    clock.sleep(7 * DAY)
    assert gather(repository, host="here", now_ns=clock.now_ns()).growth == Growth(per_day=0, per_week=5250)


def test_a_disk_that_fills_up_is_told_in_time(repository: Repository, clock: FixedClock) -> None:
    """Less than a month at the rate of the last week needs attention."""
    take(repository, {"a": b"a"})
    facts = replace(gather(repository, host="here", now_ns=clock.now_ns()), free=10 * GIB)
    for per_day, level in ((GIB // 4, Level.OK), (GIB, Level.WARNING)):
        growing = replace(facts, growth=Growth(per_day))
        (room,) = [
            each for each in judge(growing, HealthOptions(min_free=MIB), clock.now_ns()) if each.subject == "room"
        ]
        assert room.level is level
    assert "enough for 9 days" in room.message


def copy_sign(facts: Facts, now_ns: int) -> Sign:
    (found,) = [each for each in judge(facts, HealthOptions(), now_ns) if each.subject == "copy"]
    return found


def test_a_copy_elsewhere_is_enough(repository: Repository, source: Path, clock: FixedClock) -> None:
    """One on another file system counts until newer snapshots have waited two weeks for it; one beside it never."""
    snap(repository, source)
    now = clock.now_ns()
    facts = gather(repository, host="here", now_ns=now)
    assert facts.sources[0].same_disk
    fresh = replace(ELSEWHERE, time_ns=now)
    assert copy_sign(replace(facts, copies=(fresh,)), now).level is Level.OK
    assert copy_sign(replace(facts, copies=(replace(fresh, elsewhere=False),)), now).level is Level.WARNING
    later = now + 15 * int(DAY) * 10**9
    assert copy_sign(replace(facts, copies=(fresh,)), later).level is Level.OK  # nothing is newer than the copy
    old = copy_sign(replace(facts, copies=(ELSEWHERE,)), later)
    assert (old.level, old.advice) == (Level.WARNING, ("copy", "/elsewhere"))


def test_copies_are_found_on_both_sides(repository: Repository, source: Path, tmp_path: Path) -> None:
    """What `copy` leaves behind is what health goes by: the copy itself is fine, one on the same disk is no help."""
    snap(repository, source)
    create_copy(tmp_path / "copy", repository.header)
    with open_repository(tmp_path / "copy", clock=repository.clock) as target:
        copy_repository(repository, target)
        assert sign(health(target), "copy").level is Level.OK
    found = health(repository)
    assert [copy.path for copy in found.facts.copies] == [tmp_path / "copy"]
    assert sign(found, "copy").level is Level.WARNING


def test_another_disk_needs_no_copy(repository: Repository, clock: FixedClock) -> None:
    """A repository on another file system than its sources survives with them, or without them."""
    take(repository, {"a": b"a"}, paths=(b"/proc/self",))
    assert sign(health(repository), "copy").level is Level.OK


def scheduled(source: Path, program: Path, *, active: bool = True) -> Installed:
    schedule = Schedule(Path("/store"), (source,), TimeOfDay(3, 0))
    return Installed(schedule.name, schedule, (str(program),), "crontab", "crontab", active)


def test_a_schedule_that_does_nothing_is_told(repository: Repository, source: Path, tmp_path: Path) -> None:
    """One that is not started, that starts a program which is gone, or that has missed a day, needs attention."""
    snap(repository, source)
    program = tmp_path / "icc-store"
    program.touch(mode=0o755)
    good = scheduled(source, program)
    assert sign(health(repository), "schedule").advice == ("schedule", "install")
    assert sign(health(repository, schedule=good), "schedule").level is Level.OK
    for bad in (
        scheduled(source, program, active=False),
        scheduled(source, tmp_path / "gone"),
        replace(good, schedule=None),
    ):
        found = sign(health(repository, schedule=bad), "schedule")
        assert found.level is Level.WARNING
        assert found.advice[:2] == ("schedule", "install")
    repository.clock.sleep(DAY)
    assert sign(health(repository, schedule=good), "schedule").level is Level.OK
    repository.clock.sleep(DAY)
    missed = sign(health(repository, schedule=good), "schedule")
    assert (missed.level, missed.advice) == (Level.WARNING, ("run-due",))
    other = scheduled(tmp_path / "other", program)
    assert sign(health(repository, schedule=other), "schedule").level is Level.OK


def test_forgotten_snapshots_are_no_backups(repository: Repository, source: Path) -> None:
    """What gc may remove does not make a source young."""
    snap(repository, source)
    repository.clock.sleep(8 * DAY)
    new = snap(repository, source)
    repository.annotate(new.id, Subject.FORGOTTEN, True)
    assert sign(health(repository), "age").level is Level.CRITICAL
