"""`icc-store run-due`: whatever is due, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.memory_path import memory_path
from icc_store.cli.output import Document, error_fields, warning_fields
from icc_store.cli.usual_snapshot import usual_options, usual_taker
from icc_store.config import settings_for
from icc_store.errors import BusyError, DamageError, IccStoreError

if TYPE_CHECKING:
    from icc_store.model.repository import Repository
    from icc_store.operations.run_due import Charge, Done, DueOptions
    from icc_store.operations.schedule import Schedule

EVERY = ("daily", "weekly", "monthly", "never")

DOCUMENT = {
    "busy": "who is doing it at the moment, so that nothing was done; else null",
    "chores": {
        "chore": "snapshot, cleanup, gc, verify or drill",
        "about": "the directory it is about, empty for the whole repository",
        "due": "whether it was due, and so was tried",
        "reason": "why, or why not",
        "result": "what came of it, in words",
        "error": "class, message, hint and exit_code of what went wrong, or null",
        "problems": "path and message of each file that could not be read for the snapshot",
    },
}


@click.command(
    cls=Command,
    examples=(
        "icc-store run-due                    by the schedule that is installed",
        "icc-store run-due --daily 22:30 --drill never ~/notes",
    ),
)
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--daily", metavar="TIME", help="When a day's snapshot is due.  [default: 03:00]")
@click.option("--verify", type=click.Choice(EVERY), help="How often everything is verified.  [default: weekly]")
@click.option("--drill", type=click.Choice(EVERY), help="How often the newest is drilled.  [default: monthly]")
@click.pass_obj
def command(
    context: Context, *, paths: tuple[str, ...], daily: str | None, verify: str | None, drill: str | None
) -> None:
    """Do what is due for PATHs: snapshot, cleanup, gc, verify, drill.

    It can be called at any time and by several processes at once: what is due follows from the repository, and only
    one process does it. A missed night is made up for at the next call. One chore that fails does not keep the others
    from being done; a check or drill that failed is tried again a day later.

    What is not given is as in the schedule that is installed for the repository, or else as the defaults say. Without
    PATHs and schedule, it is this machine's agent memory.
    """
    from icc_store.opening import compact_if_alone, sole_keeper
    from icc_store.operations.run_due import Chore, run_due

    schedule = _schedule(context, paths, daily, verify, drill)
    with context.open_or_make() as repository:
        try:
            with sole_keeper(repository.path):
                charges = [_charge(context, path) for path in schedule.paths]
                options = _options(context, repository, schedule)
                done = run_due(repository, charges, options=options, monitor=context.monitor, clock=context.clock)
        except BusyError as error:
            busy: Document = {"busy": error.message, "chores": []}
            context.output.emit("run-due", busy, lambda: [f"nothing done: {busy['busy']}"], summary=True)
            return
    if any(one.chore is Chore.GC and one.due and one.error is None for one in done):
        compact_if_alone(context.repository.path, monitor=context.monitor, clock=context.clock)
    context.monitor.finish()
    document = {"busy": None, "chores": [_fields(one) for one in done]}
    context.output.emit("run-due", document, lambda: _lines(done), summary=True)
    context.output.warnings([problem for one in done for problem in one.problems])
    _raise_worst(context, done)


def _schedule(
    context: Context, paths: tuple[str, ...], daily: str | None, verify: str | None, drill: str | None
) -> Schedule:
    """What was said, completed by what is installed, completed by the defaults."""
    from icc_store.operations.schedule import Every, Schedule, installed_for, parse_time

    repository = context.repository.path.absolute()
    schedule: Schedule | None = None
    if not (paths and daily and verify and drill):  # a timer says it all, and need not look it up
        from icc_store.cli.timetables import timetables

        found = installed_for(timetables(context), repository)
        schedule = found.schedule if found else None
    schedule = schedule or Schedule(repository, ())
    where = tuple(Path(path).absolute() for path in paths) or schedule.paths or (memory_path(context),)
    schedule = replace(schedule, paths=where)
    if daily:
        schedule = replace(schedule, daily=parse_time(daily))
    if verify:
        schedule = replace(schedule, verify=Every(verify))
    return replace(schedule, drill=Every(drill)) if drill else schedule


def _charge(context: Context, path: Path) -> Charge:
    from icc_store.operations.run_due import Charge

    place = settings_for(path, context.environ, context.config).temporary
    return Charge(path, usual_options(context, path), place)


def _options(context: Context, repository: Repository, schedule: Schedule) -> DueOptions:
    from icc_store.cli.cleanup import cleanup_options
    from icc_store.operations.run_due import DueOptions

    return DueOptions(
        schedule.daily,
        schedule.verify,
        schedule.drill,
        cleanup=lambda: cleanup_options(context, repository),
        take=usual_taker(context),
    )


def _raise_worst(context: Context, done: list[Done]) -> None:
    """End with damage if there is any, else with the first error; the others are told before."""
    errors = [one.error for one in done if one.error is not None]
    if not errors:
        return
    worst: IccStoreError = next((error for error in errors if isinstance(error, DamageError)), errors[0])
    context.output.warnings([(b"", str(error)) for error in errors if error is not worst])
    raise worst


def _fields(done: Done) -> Document:
    return {
        "chore": str(done.chore),
        "about": done.about,
        "due": done.due,
        "reason": done.reason,
        "result": done.result,
        "error": None if done.error is None else error_fields(done.error),
        "problems": warning_fields(done.problems),
    }


def _lines(done: list[Done]) -> Iterator[str]:
    for one in done:
        about = f" {one.about}" if one.about else ""
        if not one.due:
            yield f"{one.chore}{about}: not due ({one.reason})"
        elif one.error is not None:
            yield f"{one.chore}{about}: due ({one.reason}), and FAILED: {one.error.message}"
        else:
            yield f"{one.chore}{about}: done ({one.reason}): {one.result}"
