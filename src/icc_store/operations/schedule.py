"""schedule: when snapshots, checks and drills are due, and who starts `run-due` to see to it.

One job a repository, started every hour at the minute of the daily snapshot. What is due is decided by `run-due` from
what the repository says of itself, so a night that was missed is made up for within the hour, by systemd and cron
alike, and a job that is started too often does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from icc_store.clock import DAY_NS
from icc_store.errors import IccStoreError, UsageError
from icc_store.fs.timetable import Job, Listed, Piece, Timetable

_DAYS = {"daily": 1, "weekly": 7, "monthly": 30, "never": 0}


class Every(StrEnum):
    """How often."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    NEVER = "never"

    @property
    def ns(self) -> int:
        """Nanoseconds between one time and the next; 0 for never."""
        return _DAYS[self.value] * DAY_NS


@dataclass(frozen=True)
class TimeOfDay:
    """An hour and a minute, local time."""

    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}"


NIGHT = TimeOfDay(3, 0)
"""When nobody says otherwise."""


@dataclass(frozen=True)
class Schedule:
    """When what is due. `paths` are snapshots of their own, all of them in one repository."""

    repository: Path
    paths: tuple[Path, ...]
    daily: TimeOfDay = NIGHT
    verify: Every = Every.WEEKLY
    drill: Every = Every.MONTHLY

    @property
    def name(self) -> str:
        """The name of its job: another one for each repository."""
        return f"icc-store-{hashlib.sha256(os.fsencode(self.repository)).hexdigest()[:12]}"

    def arguments(self) -> tuple[str, ...]:
        """The arguments of the program that do what is due by this schedule."""
        return (
            *("--repo", os.fspath(self.repository), "--quiet", "run-due", "--daily", str(self.daily)),
            *("--verify", self.verify.value, "--drill", self.drill.value, "--", *map(os.fspath, self.paths)),
        )


@dataclass(frozen=True)
class Installed:
    """A schedule as it was found on the machine."""

    name: str
    schedule: Schedule | None
    """None when what stands there cannot be understood."""
    program: tuple[str, ...]
    timetable: str
    where: str
    active: bool


@dataclass(frozen=True)
class Change:
    """What installing or removing does. A dry run gives the same, and does nothing."""

    name: str
    timetable: str
    pieces: tuple[Piece, ...]
    changed: bool


def parse_time(text: str) -> TimeOfDay:
    """`03:00` as a time of day. Raises UsageError."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59:
        raise UsageError(f"{text!r} is not a time of day", hint="write it as 03:00")
    return TimeOfDay(int(match[1]), int(match[2]))


def installed(timetables: Sequence[Timetable]) -> list[Installed]:
    """The schedules on this machine, of whatever repository."""
    return [_understood(table, one) for table in timetables for one in table.listed()]


def installed_for(timetables: Sequence[Timetable], repository: Path) -> Installed | None:
    """The schedule of one repository, an active one before others."""
    name = Schedule(repository, ()).name
    found = [one for one in installed(timetables) if one.name == name]
    return max(found, key=lambda one: one.active, default=None)


def install(
    timetables: Sequence[Timetable],
    schedule: Schedule,
    program: Sequence[str],
    *,
    environment: Mapping[str, str],
    dry_run: bool = False,
) -> Change:
    """Put the schedule into the first timetable that is available, in place of the repository's former one.

    `program` is the command that runs this program, with an absolute path; `environment` what it needs to find.
    Raises IccStoreError when there is none, UsageError for a path that none can hold.
    """
    table = next((one for one in timetables if one.available()), None)
    if table is None:
        raise IccStoreError(
            "neither systemd user timers nor cron are available here",
            hint="let something else start `icc-store run-due` every hour",
        )
    job = Job(
        name=schedule.name,
        title=f"icc-store: what is due in {schedule.repository}",
        command=(*program, *schedule.arguments()),
        minute=schedule.daily.minute,
        note=_note(schedule, program, environment),
        environment=environment,
    )
    words = (*job.command, *environment.values())
    odd = next((word for word in words if not word.isprintable()), None)
    if odd is not None:  # not UTF-8, or a control character: it would end a line, or not be what it was
        raise UsageError(f"{odd!r} cannot be written into a timer", hint="rename it, or start `run-due` by other means")
    pieces = tuple(table.pieces(job))
    others = [one for one in timetables if one is not table and any(each.name == job.name for each in one.listed())]
    changed = bool(others) or not table.holds(job)
    if changed and not dry_run:
        for other in others:
            other.remove(job.name)
        table.install(job)
    return Change(job.name, table.title, pieces, changed)


def remove(timetables: Sequence[Timetable], repository: Path, *, dry_run: bool = False) -> list[Change]:
    """Take the repository's schedule away, wherever it stands. Nothing of it is left."""
    name = Schedule(repository, ()).name
    gone = []
    for table in timetables:
        found = [one for one in table.listed() if one.name == name]
        if found:
            pieces = tuple(Piece(one.where, "") for one in found)
            gone.append(Change(name, table.title, pieces, changed=True))
            if not dry_run:
                table.remove(name)
    return gone


def _note(schedule: Schedule, program: Sequence[str], environment: Mapping[str, str]) -> str:
    """The schedule on one line of ASCII, as it is read back."""
    return json.dumps(
        {
            "repository": os.fspath(schedule.repository),
            "paths": [os.fspath(path) for path in schedule.paths],
            "daily": str(schedule.daily),
            "verify": schedule.verify.value,
            "drill": schedule.drill.value,
            "program": list(program),
            "environment": dict(environment),
        }
    )


def _understood(table: Timetable, found: Listed) -> Installed:
    schedule: Schedule | None = None
    program: tuple[str, ...] = ()
    try:
        note = json.loads(found.note)
        program = tuple(map(str, note["program"]))
        schedule = Schedule(
            Path(note["repository"]),
            tuple(Path(path) for path in note["paths"]),
            parse_time(note["daily"]),
            Every(note["verify"]),
            Every(note["drill"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError, UsageError):
        pass  # somebody has changed it by hand: it is shown, and can be replaced and removed
    return Installed(found.name, schedule, program, table.title, found.where, found.active)
