"""health: what is wrong with the backups, how bad it is, and the command that would help.

Snapshots are only worth what one can restore of them. So it is not enough that they are young: they are read back
(verify), restored to nowhere (drill), kept on more than one disk (copy), and somebody starts all that (schedule).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from icc_store.clock import DAY_NS, HOUR_NS, SYSTEM_CLOCK, Clock
from icc_store.errors import SnapshotNotFound
from icc_store.fs.identity import host_name
from icc_store.limits import MIB
from icc_store.model.repository import Repository
from icc_store.operations.health_facts import Facts, SourceFacts, gather
from icc_store.operations.retention import format_duration
from icc_store.operations.run_due import last_time
from icc_store.operations.schedule import Installed

AGE_WARNING_NS, AGE_CRITICAL_NS = 2 * DAY_NS, 7 * DAY_NS
"""A night may be missed; a week of work may not."""

VERIFY_WARNING_NS = 14 * DAY_NS
"""Twice the time between two scheduled ones."""

DRILL_WARNING_NS = 60 * DAY_NS
"""Twice the time between two scheduled ones."""

COPY_WARNING_NS = 14 * DAY_NS
"""A copy on a disk that is plugged in now and then is two weeks behind at most."""

ROOM_WARNING_NS = 30 * DAY_NS
"""Time to buy a disk."""

OVERDUE_NS = DAY_NS
"""A schedule that has missed a whole day is not just late."""

MIN_FREE = 500 * MIB


class Level(IntEnum):
    """How bad it is."""

    OK = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Sign:
    """One thing that was looked at. `advice` is the words of the command that would help, without the program's name.

    `source` is empty for what is about the repository.
    """

    level: Level
    subject: str
    source: str
    message: str
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class HealthOptions:
    """What to look at, and by which measure."""

    sources: tuple[str, ...] = ()
    """Only these; none: all."""
    min_free: int = MIN_FREE
    """Bytes that must stay free on the repository's file system."""
    host: str = ""
    """This machine; empty: by its name."""
    schedule: Installed | None = None


@dataclass(frozen=True)
class Health:
    """The facts, and what they mean: the worst first."""

    facts: Facts
    signs: tuple[Sign, ...]

    @property
    def level(self) -> Level:
        """The worst of all."""
        return max((sign.level for sign in self.signs), default=Level.OK)


def check_health(
    repository: Repository, *, options: HealthOptions = HealthOptions(), clock: Clock = SYSTEM_CLOCK
) -> Health:
    """How the backups in a repository are doing. Raises SnapshotNotFound for a source that has no full snapshot."""
    now = clock.now_ns()
    facts = gather(repository, host=options.host or host_name(), now_ns=now)
    known = {one.source for one in facts.sources}
    for source in options.sources:
        if source not in known:
            raise SnapshotNotFound(f"there is no full snapshot of source {source!r}", hint="see `icc-store list`")
    return Health(facts, tuple(sorted(judge(facts, options, now), key=lambda sign: -sign.level)))


def judge(facts: Facts, options: HealthOptions, now_ns: int) -> Iterator[Sign]:
    """What facts mean at this hour."""
    chosen = [one for one in facts.sources if not options.sources or one.source in options.sources]
    if not chosen:
        yield Sign(Level.CRITICAL, "age", "", "there is no full snapshot yet", ("snapshot",))
    for one in chosen:
        yield _age(one, now_ns)
        yield _verified(one, now_ns)
        yield _drilled(one, now_ns)
        yield from _suspects(one)
    yield _room(facts, options.min_free)
    yield _elsewhere(facts, chosen, now_ns)
    yield _schedule(options.schedule, chosen, now_ns)


# ---------------------------------------------------------------- one source


def _age(one: SourceFacts, now_ns: int) -> Sign:
    age = max(0, now_ns - one.newest.record.time_ns)
    if one.gone:
        message = f"{one.gone[0]} is gone; the newest snapshot is {_span(age)} old"
        return Sign(Level.WARNING, "age", one.source, message, ("restore", "latest", "--source", one.source))
    level = Level.CRITICAL if age >= AGE_CRITICAL_NS else Level.WARNING if age >= AGE_WARNING_NS else Level.OK
    paths = tuple(os.fsdecode(path) for path in one.newest.record.paths)
    advice = ("snapshot", *paths) if level else ()
    return Sign(level, "age", one.source, f"the newest snapshot is {_span(age)} old", advice)


def _verified(one: SourceFacts, now_ns: int) -> Sign:
    message, late = _since("verified", one.verified_ns, one.first_ns, VERIFY_WARNING_NS, now_ns)
    return Sign(Level.WARNING if late else Level.OK, "verify", one.source, message, ("verify",) if late else ())


def _drilled(one: SourceFacts, now_ns: int) -> Sign:
    advice = ("drill", "--source", one.source)
    if one.drill_failure:
        return Sign(Level.CRITICAL, "drill", one.source, f"the last drill failed: {one.drill_failure}", advice)
    message, late = _since("drilled", one.drilled_ns, one.first_ns, DRILL_WARNING_NS, now_ns)
    return Sign(Level.WARNING if late else Level.OK, "drill", one.source, message, advice if late else ())


def _since(done: str, last_ns: int, first_ns: int, limit: int, now_ns: int) -> tuple[str, bool]:
    """When something was done last, and whether that is too long ago; counted from the first snapshot before that."""
    age = max(0, now_ns - (last_ns or first_ns))
    if last_ns:
        return f"{done} {_span(age)} ago", age >= limit
    return f"never {done}; the oldest snapshot is {_span(age)} old", age >= limit


def _suspects(one: SourceFacts) -> Iterator[Sign]:
    if not one.suspects:
        return
    if one.newest.suspect:
        paths = tuple(os.fsdecode(path) for path in one.newest.record.paths)
        message = "the newest snapshot is damaged; a new one stores again what is still there"
        yield Sign(Level.CRITICAL, "suspect", one.source, message, ("snapshot", *paths))
    else:
        count = len(one.suspects)
        message = f"{count} older snapshot{'s are' if count > 1 else ' is'} damaged; verify names the files"
        yield Sign(Level.WARNING, "suspect", one.source, message, ("verify",))


def _span(ns: int) -> str:
    return "less than an hour" if ns < HOUR_NS else format_duration(ns)


# ---------------------------------------------------------------- the repository


def _room(facts: Facts, min_free: int) -> Sign:
    free = f"{facts.free // MIB:,} MiB are free"
    if facts.free < min_free:
        message = f"{free}, and {min_free // MIB:,} are to be kept free: snapshots are refused"
        return Sign(Level.CRITICAL, "room", "", message, ("gc", "--compact"))
    if facts.growth.per_day:
        days = (facts.free - min_free) // facts.growth.per_day
        if days * DAY_NS < ROOM_WARNING_NS:
            message = f"{free}: enough for {days} days at the rate of the last week"
            return Sign(Level.WARNING, "room", "", message, ("gc", "--compact"))
    return Sign(Level.OK, "room", "", free)


def _elsewhere(facts: Facts, chosen: list[SourceFacts], now_ns: int) -> Sign:
    """Whether a disk that dies takes both the source and its backups."""
    shared = [one.source for one in chosen if one.same_disk]
    away = [copy for copy in facts.copies if copy.elsewhere]
    if away:
        newest = max(away, key=lambda copy: copy.time_ns)
        age = max(0, now_ns - newest.time_ns)
        newer = any(one.newest.record.time_ns > newest.time_ns for one in chosen)
        message = f"the copy in {newest.path} is {_span(age)} old"
        late = newer and age >= COPY_WARNING_NS
        return Sign(
            Level.WARNING if late else Level.OK, "copy", "", message, ("copy", str(newest.path)) if late else ()
        )
    if facts.is_copy:
        return Sign(Level.OK, "copy", "", "this is a copy of another repository")
    if not shared:
        return Sign(Level.OK, "copy", "", "the repository is on another file system than its sources")
    message = "the repository is on the same file system as its sources, and no copy is known elsewhere"
    return Sign(Level.WARNING, "copy", "", message, ("copy", "/a/directory/on/another/disk"))


def _schedule(found: Installed | None, chosen: list[SourceFacts], now_ns: int) -> Sign:
    """Whether somebody takes care of it all, and really does."""
    if found is None:
        return Sign(Level.OK, "schedule", "", "nothing is scheduled on this machine", ("schedule", "install"))
    if found.schedule is None:
        return Sign(Level.WARNING, "schedule", "", f"{found.where} cannot be understood", ("schedule", "install"))
    again = ("schedule", "install", *(os.fspath(path) for path in found.schedule.paths))
    if not found.active:
        return Sign(Level.WARNING, "schedule", "", f"{found.where} is there, but nothing starts it", again)
    if not os.access(found.program[0], os.X_OK):
        return Sign(Level.WARNING, "schedule", "", f"{found.where} starts {found.program[0]}, which is gone", again)
    due = last_time(found.schedule.daily, now_ns)
    scheduled = {bytes(path) for path in found.schedule.paths}
    late = [
        one
        for one in chosen
        if scheduled & set(one.newest.record.paths) and one.newest.record.time_ns < due - OVERDUE_NS
    ]
    if late:
        message = f"daily at {found.schedule.daily}, but {late[0].source} has missed a whole day"
        return Sign(Level.WARNING, "schedule", "", message, ("run-due",))
    return Sign(Level.OK, "schedule", "", f"daily at {found.schedule.daily}")
