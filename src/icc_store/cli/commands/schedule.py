"""`icc-store schedule`: who starts `run-due`, and when what is due."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli.command import Command
from icc_store.cli.commands.run_due import EVERY
from icc_store.cli.context import Context
from icc_store.cli.memory_path import memory_path
from icc_store.cli.output import Document, path_fields, paths_fields
from icc_store.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from icc_store.operations.schedule import Change, Installed

DOCUMENT = {
    "action": "install, show or remove",
    "dry_run": "whether nothing was changed",
    "changes": {
        "name": "the name of the job",
        "timetable": "systemd user timer, or crontab",
        "changed": "whether it was not so before",
        "pieces": "where and text of what is written or removed",
    },
    "schedules": {
        "name": "the name of the job",
        "timetable": "systemd user timer, or crontab",
        "where": "the file it stands in",
        "active": "whether it is started",
        "repository": "the repository it is for, or null when it cannot be understood",
        "paths": "the directories that snapshots are taken of",
        "daily": "when a day's snapshot is due",
        "verify": "how often everything is verified",
        "drill": "how often the newest snapshot is drilled",
        "program": "the words that run the program",
    },
}


@click.command(
    cls=Command,
    examples=(
        "icc-store schedule install",
        "icc-store schedule install --daily 22:30 --drill never ~/notes ~/papers",
        "icc-store schedule show",
        "icc-store schedule remove",
    ),
)
@click.argument("action", type=click.Choice(("install", "show", "remove")))
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--daily", metavar="TIME", help="install: when a day's snapshot is due.  [default: 03:00]")
@click.option("--verify", type=click.Choice(EVERY), help="install: how often to verify.  [default: weekly]")
@click.option("--drill", type=click.Choice(EVERY), help="install: how often to drill.  [default: monthly]")
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be written or removed; change nothing.")
@click.pass_obj
def command(context: Context, /, action: str, paths: tuple[str, ...], **given: Any) -> None:
    """Let the machine take snapshots of PATHs, verify and drill by itself; show that, or take it away.

    `install` writes a timer of this user's systemd, or lines of the crontab where there is none, that start `run-due`
    every hour; it replaces the schedule that the repository had. `show` lists the schedules of all repositories.
    `remove` takes that of this repository away, and leaves nothing. Without PATHs it is this machine's agent memory.
    """
    if action != "install" and (paths or any(given[name] for name in ("daily", "verify", "drill"))):
        raise UsageError(f"`schedule {action}` takes no paths and no times")
    if action == "install":
        _install(context, paths, given)
    elif action == "show":
        _show(context, dry_run=given["dry_run"])
    else:
        _remove(context, dry_run=given["dry_run"])


def _install(context: Context, paths: tuple[str, ...], given: dict[str, Any]) -> None:
    from icc_store.cli.timetables import carried_environment, program_command, timetables
    from icc_store.operations.schedule import Every, Schedule, install, parse_time

    where = [Path(os.path.abspath(path)) for path in paths] or [memory_path(context)]
    missing = [path for path in where if not path.exists()]
    if missing:
        raise NotFoundError(f"{missing[0]} does not exist", hint="nothing was scheduled")
    schedule = Schedule(
        context.repository.path.absolute(),
        tuple(where),
        parse_time(given["daily"] or "03:00"),
        Every(given["verify"] or "weekly"),
        Every(given["drill"] or "monthly"),
    )
    if not given["dry_run"]:
        with context.open_or_make():
            pass  # a schedule of a repository that is not there would fail every hour
    done = install(
        timetables(context),
        schedule,
        program_command(),
        environment=carried_environment(context.environ),
        dry_run=given["dry_run"],
    )
    _emit(context, "install", [done], dry_run=given["dry_run"])


def _remove(context: Context, *, dry_run: bool) -> None:
    from icc_store.cli.timetables import timetables
    from icc_store.operations.schedule import remove

    repository = context.repository.path.absolute()
    gone = remove(timetables(context), repository, dry_run=dry_run)
    if not gone:
        raise NotFoundError(f"there is no schedule for {repository}", hint="`icc-store schedule show` lists them all")
    _emit(context, "remove", gone, dry_run=dry_run)


def _show(context: Context, *, dry_run: bool) -> None:
    from icc_store.cli.timetables import timetables
    from icc_store.operations.schedule import installed

    if dry_run:
        raise UsageError("`schedule show` changes nothing; it takes no --dry-run")
    found = installed(timetables(context))
    document = {"action": "show", "dry_run": False, "changes": [], "schedules": [_fields(one) for one in found]}
    context.output.emit("schedule", document, lambda: _shown(found))


def _emit(context: Context, action: str, changes: list[Change], *, dry_run: bool) -> None:
    document = {
        "action": action,
        "dry_run": dry_run,
        "changes": [
            {
                "name": each.name,
                "timetable": each.timetable,
                "changed": each.changed,
                "pieces": [{"where": piece.where, "text": piece.text} for piece in each.pieces],
            }
            for each in changes
        ],
        "schedules": [],
    }
    context.output.emit("schedule", document, lambda: _changed(action, changes, dry_run=dry_run), summary=not dry_run)


def _changed(action: str, changes: list[Change], *, dry_run: bool) -> Iterator[str]:
    would = "would be " if dry_run else ""
    for each in changes:
        if action == "remove":
            yield f"{each.timetable} {each.name}: {would}removed"
            continue
        yield f"{each.timetable} {each.name}: {would + 'installed' if each.changed else 'as before'}"
        if dry_run:
            for piece in each.pieces:
                yield f"--- {piece.where}"
                yield from piece.text.splitlines()
        elif each.timetable.startswith("systemd"):
            yield "  it runs while you are logged in; `loginctl enable-linger` lets it run always"


def _shown(found: list[Installed]) -> Iterator[str]:
    if not found:
        yield "nothing is scheduled; `icc-store schedule install` does it"
    for one in found:
        state = "" if one.active else ", NOT ACTIVE"
        yield f"{one.timetable} {one.name}{state}: {one.where}"
        if one.schedule is None:
            yield "  it was changed by hand and cannot be understood; install it again, or remove it"
            continue
        plan = one.schedule
        yield f"  repository {plan.repository}"
        for path in plan.paths:
            yield f"  snapshot of {path}, daily at {plan.daily}"
        yield f"  verify {plan.verify}, drill {plan.drill}; {' '.join(one.program)} run-due, every hour"


def _fields(one: Installed) -> Document:
    plan = one.schedule
    return {
        "name": one.name,
        "timetable": one.timetable,
        "where": one.where,
        "active": one.active,
        "program": list(one.program),
        **(path_fields(bytes(plan.repository), "repository") if plan else {"repository": None}),
        **paths_fields([bytes(path) for path in plan.paths] if plan else []),
        "daily": str(plan.daily) if plan else "",
        "verify": plan.verify.value if plan else "",
        "drill": plan.drill.value if plan else "",
    }
