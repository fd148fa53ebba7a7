"""`icc-store health`: how the backups are doing, and what to do about it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import Document, path_fields, paths_fields
from icc_store.cli.snapshot_fields import ROW, short_id, snapshot_fields
from icc_store.cli.table import pairs
from icc_store.errors import IccStoreError, NeedsAttention, Unhealthy

if TYPE_CHECKING:
    from icc_store.operations.health import Health, Sign
    from icc_store.operations.health_facts import SourceFacts
    from icc_store.operations.schedule import Installed

DOCUMENT = {
    "level": "the worst of all: ok, warning or critical",
    "signs": {
        "level": "ok, warning or critical",
        "subject": "age, verify, drill, suspect, room, copy or schedule",
        "source": "the source it is about, empty for the repository",
        "message": "what was found",
        "advice": "the command that would help, as words; empty when none is needed",
    },
    "sources": {
        "source": "the source",
        "newest": ROW,
        "age_ns": "how old its newest full snapshot is",
        "verified": "when one of its snapshots was last found whole, or null",
        "drilled": "when one of them was last drilled, or null",
        "drill_failure": "what that drill found wrong, else empty",
        "suspects": "ids of its damaged snapshots",
        "added_per_day": "bytes its snapshots added a day, over the last week",
        "added_per_week": "bytes they added a week, over the last four",
        "same_disk": "whether it is on the file system of the repository",
        "gone": "paths of it that are not there any more",
    },
    "free": "bytes free on the repository's file system",
    "added_per_day": "bytes all snapshots added a day, over the last week",
    "added_per_week": "bytes they added a week, over the last four",
    "copies": {
        "path": "where a copy of the repository is",
        "time": "when it was brought up to date",
        "elsewhere": "whether it was on another file system then",
    },
    "is_copy": "whether this repository is itself a copy",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store health",
        "icc-store health --source notes --json",
        "icc-store health --quiet || mail -s 'backups' ada < /dev/null",
    ),
)
@click.option("--source", "sources", multiple=True, metavar="NAME", help="Only this source; repeat it for more.")
@click.pass_obj
def command(context: Context, *, sources: tuple[str, ...]) -> None:
    """Say how the backups are doing, with a recommendation for what is wrong.

    Looked at are, of each source, the age of the newest full snapshot, the last verify and drill, damage and growth;
    and the free space, whether a disk that dies takes both source and repository, and the schedule. The exit code is 0
    when all is well, 7 when something needs attention, 8 when something is critical; any other code means that it
    could not be found out.
    """
    from icc_store.operations.health import HealthOptions, check_health

    options = HealthOptions(
        sources=sources,
        min_free=context.memory_settings(None).min_free_bytes,
        host=context.config.host or "",
        schedule=_schedule(context),
    )
    with context.open(readonly=True) as repository:
        found = check_health(repository, options=options, clock=context.clock)
    context.output.emit("health", _document(found, context), lambda: _lines(found, context), summary=True)
    _raise(found)


def _schedule(context: Context) -> Installed | None:
    from icc_store.cli.timetables import timetables
    from icc_store.operations.schedule import installed_for

    try:
        return installed_for(timetables(context), context.repository.path.absolute())
    except IccStoreError as error:
        context.monitor.note(f"whether there is a schedule cannot be found out: {error.message}")
        return None


def _raise(found: Health) -> None:
    """End with the exit code of what was found."""
    wrong = [sign for sign in found.signs if sign.level]
    if not wrong:
        return
    kind = Unhealthy if wrong[0].level.name == "CRITICAL" else NeedsAttention
    more = f", and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    of = f"{wrong[0].source}: " if wrong[0].source else ""
    raise kind(f"{wrong[0].level.name.lower()}: {of}{wrong[0].message}{more}")


def _document(found: Health, context: Context) -> Document:
    now = context.clock.now_ns()
    facts = found.facts
    return {
        "level": found.level.name.lower(),
        "signs": [
            {
                "level": sign.level.name.lower(),
                "subject": sign.subject,
                "source": sign.source,
                "message": sign.message,
                "advice": _words(sign, context),
            }
            for sign in found.signs
        ],
        "sources": [_source_fields(one, now) for one in facts.sources],
        "free": facts.free,
        "added_per_day": facts.growth.per_day,
        "added_per_week": facts.growth.per_week,
        "copies": [
            path_fields(bytes(copy.path)) | {"time": units.utc_time(copy.time_ns), "elsewhere": copy.elsewhere}
            for copy in facts.copies
        ],
        "is_copy": facts.is_copy,
    }


def _source_fields(one: SourceFacts, now_ns: int) -> Document:
    return {
        "source": one.source,
        "newest": snapshot_fields(one.newest),
        "age_ns": now_ns - one.newest.record.time_ns,
        "verified": units.utc_time(one.verified_ns) if one.verified_ns else None,
        "drilled": units.utc_time(one.drilled_ns) if one.drilled_ns else None,
        "drill_failure": one.drill_failure,
        "suspects": [snapshot.id.hex() for snapshot in one.suspects],
        "added_per_day": one.growth.per_day,
        "added_per_week": one.growth.per_week,
        "same_disk": one.same_disk,
        **paths_fields([bytes(path) for path in one.gone], "gone"),
    }


def _words(sign: Sign, context: Context) -> list[str]:
    """The command that would help, as it has to be typed."""
    if not sign.advice:
        return []
    repository = ["--repo", str(context.repository.path)] if context.settings.repo else []
    return ["icc-store", *repository, *sign.advice]


def _lines(found: Health, context: Context) -> Iterator[str]:
    for one in found.facts.sources:
        growth = one.growth
        yield one.source
        yield from pairs(
            [
                ("newest", f"{short_id(one.newest)} of {units.local_time(one.newest.record.time_ns)}"),
                ("verified", units.local_time(one.verified_ns) if one.verified_ns else "never"),
                ("drilled", units.local_time(one.drilled_ns) if one.drilled_ns else "never"),
                ("growth", f"{units.size(growth.per_day)} a day, {units.size(growth.per_week)} a week"),
            ],
            indent="  ",
        )
    if found.facts.sources:
        yield ""
    for sign in found.signs:
        of = f"{sign.source}: " if sign.source else ""
        yield f"{sign.level.name.lower():8}  {sign.subject:8}  {of}{sign.message}"
        if sign.advice:
            yield f"{'':20}{shlex.join(_words(sign, context))}"
