"""run-due: do what is due, and nothing else, whenever and however often it is called.

What is due follows from what the repository says of itself: when the newest snapshot was taken, when all of it was
last verified, when a snapshot was last drilled, what was forgotten long enough ago. So a night that was missed is made
up for at the next call, and a second call does nothing. One chore that fails does not keep the others from being done;
a check or drill that failed is tried again a day later, not at every call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path

from icc_store.clock import DAY_NS, HOUR_NS, SECOND_NS, SYSTEM_CLOCK, Clock
from icc_store.errors import DamageError, IccStoreError, PartialResult
from icc_store.fs.identity import default_source, host_name
from icc_store.model.checkup import all_verified_ns
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.model.upkeep import remember_tried, tried_ns
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.cleanup import CleanupOptions, clean_up
from icc_store.operations.drill import drill
from icc_store.operations.gc import UNDELETE_HOURS, GcOptions, collect
from icc_store.operations.retention import explicit_policy
from icc_store.operations.schedule import NIGHT, Every, TimeOfDay
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.snapshot_options import SnapshotOptions, SnapshotTaker
from icc_store.operations.verify import verify

_TRIED = "it was tried within the day"
_FORGET_NOTHING = explicit_policy(keep_within="1000y")
"""gc removes here what was forgotten; what is to be forgotten the cleanup has decided."""


class Chore(StrEnum):
    """What there is to do, in the order in which it is done."""

    SNAPSHOT = "snapshot"
    CLEANUP = "cleanup"
    GC = "gc"
    VERIFY = "verify"
    DRILL = "drill"


@dataclass(frozen=True)
class Charge:
    """One directory that is cared for: how its snapshots are taken, and where they are drilled."""

    path: Path
    options: SnapshotOptions
    place: Path


@dataclass(frozen=True)
class DueOptions:
    """When what is due."""

    daily: TimeOfDay = NIGHT
    verify: Every = Every.WEEKLY
    drill: Every = Every.MONTHLY
    cleanup: Callable[[], CleanupOptions] = CleanupOptions
    """What is cleaned up, asked for when it is time: settings may have changed with the snapshot."""
    take: SnapshotTaker = take_snapshot


@dataclass(frozen=True)
class Done:
    """One chore, done or not, and why."""

    chore: Chore
    about: str
    """The directory, or the snapshot, or nothing when it is about the whole repository."""
    due: bool
    reason: str
    result: str = ""
    error: IccStoreError | None = None
    problems: tuple[tuple[bytes, str], ...] = ()
    """Stored paths of what could not be read for a snapshot, and why."""


def run_due(
    repository: Repository,
    charges: Sequence[Charge],
    *,
    options: DueOptions = DueOptions(),
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> list[Done]:
    """Do what is due. What came of each chore, or why it was not due, is in the list; nothing is raised."""
    keeper = _Keeper(repository, options, monitor, clock)
    return list(keeper.all(charges))


class _Keeper:
    def __init__(self, repository: Repository, options: DueOptions, monitor: Monitor, clock: Clock) -> None:
        self._repository = repository
        self._options = options
        self._monitor = monitor
        self._clock = clock

    def all(self, charges: Sequence[Charge]) -> Iterator[Done]:
        """Every chore in turn."""
        taken = False
        for charge in charges:
            done = self._snapshot(charge)
            taken |= done.due and (done.error is None or isinstance(done.error, PartialResult))
            yield done
        yield self._cleanup(taken)
        yield self._if_it_can_be_told(Chore.GC, "", self._gc)
        yield self._if_it_can_be_told(Chore.VERIFY, "", self._verify)
        for charge in charges:
            yield self._if_it_can_be_told(Chore.DRILL, str(charge.path), partial(self._drill, charge))

    @staticmethod
    def _if_it_can_be_told(chore: Chore, about: str, ask: Callable[[], Done]) -> Done:
        """Do it if it is due. Where damage leaves that open, the others are done all the same."""
        try:
            return ask()
        except DamageError as error:
            return Done(chore, about, True, "whether it is cannot be told", error=error)

    def _snapshot(self, charge: Charge) -> Done:
        source = _source_of(charge)
        newest = self._repository.latest(source, charge.options.host or host_name())
        begins = last_time(self._options.daily, self._clock.now_ns())
        about = str(charge.path)
        if newest is not None and begins <= newest.record.time_ns <= self._clock.now_ns():
            return Done(Chore.SNAPSHOT, about, False, f"the newest is of after {self._options.daily}")
        reason = f"none since {self._options.daily}" if newest else "there is none yet"

        problems: list[tuple[bytes, str]] = []

        def work() -> str:
            result = self._options.take(
                self._repository, [charge.path], options=charge.options, monitor=self._monitor, clock=self._clock
            )
            problems.extend(result.problems)
            if problems:
                raise PartialResult(f"{charge.path}: {_count(problems, 'file')} could not be read; the rest is stored")
            return _count(range(result.counters.files), "file")

        return replace(self._try(Chore.SNAPSHOT, about, reason, work), problems=tuple(problems))

    def _cleanup(self, taken: bool) -> Done:
        if not taken:
            return Done(Chore.CLEANUP, "", False, "no snapshot was taken")

        def work() -> str:
            result = clean_up(
                self._repository, options=self._options.cleanup(), monitor=self._monitor, clock=self._clock
            )
            return "done today already" if result is None else f"{_count(result.forgotten, 'snapshot')} forgotten"

        return self._try(Chore.CLEANUP, "", "a snapshot was taken", work)

    def _gc(self) -> Done:
        limit = self._clock.now_ns() - UNDELETE_HOURS * HOUR_NS
        over = [
            one
            for one in self._repository.snapshots(forgotten=True)
            if one.forgotten_ns is not None and one.forgotten_ns <= limit
        ]
        if not over:
            return Done(Chore.GC, "", False, "nothing was forgotten long enough ago")
        if self._tried_today(Chore.GC):
            return Done(Chore.GC, "", False, _TRIED)

        reason = f"{_count(over, 'snapshot')} forgotten more than a day ago"

        def work() -> str:
            options = GcOptions(_FORGET_NOTHING)
            result = collect(self._repository, options=options, monitor=self._monitor, clock=self._clock)
            result.raise_for_damage()
            return f"{_count(result.removed, 'snapshot')} removed"

        return self._try(Chore.GC, "", reason, work, tried="")

    def _verify(self) -> Done:
        not_due = self._not_due(Chore.VERIFY, self._options.verify, all_verified_ns(self._repository), None)
        if not_due:
            return Done(Chore.VERIFY, "", False, not_due)

        def work() -> str:
            result = verify(self._repository, monitor=self._monitor, clock=self._clock)
            if result.findings:
                said = f"verify has {_count(result.findings, 'finding')}: {result.findings[0].what}"
                raise DamageError(said, hint="`icc-store verify` tells all of it")
            return f"{_count(range(result.blocks), 'block')}, no errors"

        return self._try(Chore.VERIFY, "", f"{self._options.verify}", work, tried="")

    def _drill(self, charge: Charge) -> Done:
        source, about = _source_of(charge), str(charge.path)
        newest = self._repository.latest(source, charge.options.host or host_name())
        if newest is None:
            return Done(Chore.DRILL, about, False, "there is no snapshot")
        passed = max((one.drilled_ns or 0 for one in self._full(source) if not one.drill_failure), default=0)
        not_due = self._not_due(Chore.DRILL, self._options.drill, passed, source)
        if not_due:
            return Done(Chore.DRILL, about, False, not_due)

        def work() -> str:
            result = drill(self._repository, newest, charge.place, monitor=self._monitor, clock=self._clock)
            if result.failure:
                raise DamageError(f"the newest snapshot of {charge.path} does not come back: {result.failure}")
            return f"{_count(range(result.files), 'path')} came back"

        return self._try(Chore.DRILL, about, f"{self._options.drill}", work, tried=source)

    def _full(self, source: str | None) -> list[Snapshot]:
        return [
            one
            for one in self._repository.snapshots()
            if one.record.kind is SnapshotClass.FULL and source in (None, one.record.source)
        ]

    def _not_due(self, chore: Chore, every: Every, last_ns: int, source: str | None) -> str:
        """Why a chore is not due; empty when it is. Before its first time it counts from the first snapshot."""
        now = self._clock.now_ns()
        if every is Every.NEVER:
            return "never"
        first = min((one.record.time_ns for one in self._full(source)), default=now)
        ever = 0 < last_ns <= now
        since = last_ns if ever else min(first, now)
        if now - since < every.ns:
            return f"{every}, and the {'last' if ever else 'first snapshot'} was {(now - since) // DAY_NS} days ago"
        return _TRIED if self._tried_today(chore, source or "") else ""

    def _tried_today(self, chore: Chore, source: str = "") -> bool:
        return 0 <= self._clock.now_ns() - tried_ns(self._repository, chore, source) < DAY_NS

    def _try(self, chore: Chore, about: str, reason: str, work: Callable[[], str], *, tried: str | None = None) -> Done:
        """Do it. `tried`: it is noted that it was begun, for this source where it is about one."""
        try:
            if tried is not None:
                remember_tried(self._repository, chore, tried)
            return Done(chore, about, True, reason, work())
        except IccStoreError as error:
            return Done(chore, about, True, reason, error=error)
        except OSError as error:
            return Done(chore, about, True, reason, error=IccStoreError(str(error)))


def _count(things: Sized, one: str) -> str:
    return f"{len(things):,} {one if len(things) == 1 else one + 's'}"


def last_time(daily: TimeOfDay, now_ns: int) -> int:
    """When it was last this time of day, local time, in ns."""
    now = datetime.fromtimestamp(now_ns // SECOND_NS)  # noqa: DTZ006 - local time is what the hour is given in
    then = now.replace(hour=daily.hour, minute=daily.minute, second=0)
    if then > now:
        then -= timedelta(days=1)
    return int(then.timestamp()) * SECOND_NS


def _source_of(charge: Charge) -> str:
    return charge.options.source or default_source([Path(os.path.abspath(charge.path))])
