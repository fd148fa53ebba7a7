"""`icc-store watch`: snapshots whenever a memory has changed and settled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.failures import as_error
from icc_store.cli.memory_path import memory_path
from icc_store.cli.output import Document, error_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import described
from icc_store.cli.usual_snapshot import usual_options, usual_taker
from icc_store.config import home_directory, settings_for
from icc_store.errors import SourceError

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.operations.watch import Event

DOCUMENT = {
    "events": {
        "time": "when the snapshot was to be taken",
        "reason": "why",
        "id": "the snapshot's id, or null when nothing had changed after all, or it failed",
        "error": "class, message, hint and exit_code of what went wrong, or null",
        "retry_seconds": "in how long it is tried again after that",
    },
}


@click.command(
    cls=Command,
    examples=(
        "icc-store watch",
        "icc-store watch ~/notes --settle 60 --at-most-every 900",
        "icc-store watch --new-entities 10 --json-lines",
    ),
)
@click.argument("path", required=False, metavar="[PATH]")
@click.option(
    "--settle", type=click.FloatRange(min=0), default=30.0, show_default=True, metavar="SECONDS",
    help="How long nothing must have changed.",
)  # fmt: skip
@click.option(
    "--at-most-every", type=click.FloatRange(min=0), default=300.0, show_default=True, metavar="SECONDS",
    help="The least time between two snapshots.",
)  # fmt: skip
@click.option(
    "--new-entities", type=click.IntRange(min=1), metavar="N", help="Store N new entities at once, whatever the times."
)
@click.option(
    "--look-every", type=click.FloatRange(min=0.01), default=2.0, show_default=True, metavar="SECONDS",
    help="How often to look for changes.",
)  # fmt: skip
@click.option("--source", metavar="NAME", help="What it is a snapshot of, for `latest` and retention.")
@json_lines_option
@click.pass_obj
def command(
    context: Context,
    *,
    path: str | None,
    settle: float,
    at_most_every: float,
    new_entities: int | None,
    look_every: float,
    source: str | None,
) -> None:
    """Watch PATH, and take a snapshot when it has changed and settled.

    What keeps changing is stored all the same after ten times the settling time. A snapshot that fails is told and
    tried again, after half a minute, then ever later up to an hour. Ctrl-C or a request to end (SIGTERM) stores what
    is pending and ends with exit code 0. Without PATH, it is this machine's agent memory.
    """
    from icc_store.cli.stopping import StopRequest
    from icc_store.fs.excludes import stored_below
    from icc_store.operations.snapshot_rules import never_stored
    from icc_store.operations.watch import WatchOptions, watch

    root = (Path(path) if path else memory_path(context)).absolute()
    if not root.is_dir():
        raise SourceError(f"{root} is not a directory", hint="name the directory to watch")
    home = home_directory(context.environ)
    options = WatchOptions(
        settle,
        at_most_every,
        new_entities or 0,
        look_every,
        never=(*stored_below(root, [context.repository.path]), *never_stored(root, home)),
    )
    with StopRequest(context.clock) as stop:
        events = watch(root, lambda: _take(context, root, source), stop.is_requested, options=options, clock=stop)
        printed = _Printed(context, events)
        context.output.emit_rows("watch", printed, as_json=_fields, as_text=_as_text, key="events")
    if printed.last_error is not None:
        raise as_error(printed.last_error)


def _take(context: Context, root: Path, source: str | None) -> Snapshot | None:
    """One snapshot, unless nothing has changed; the repository is open no longer than that takes."""
    from icc_store.cli.cleanup import clean_up_after_snapshot
    from icc_store.model.cleanup_turn import is_due

    settings = settings_for(root, context.environ, context.config)
    options = replace(usual_options(context, root, source), skip_if_unchanged=True)
    try:
        with context.open_or_make() as repository:
            take = usual_taker(context)
            result = take(repository, [root], options=options, monitor=context.monitor, clock=context.clock)
            to_clean_up = settings.automatic_cleanup and is_due(repository, context.clock.now_ns())
    finally:
        context.monitor.finish()
    context.output.warnings(result.problems)
    if to_clean_up:
        clean_up_after_snapshot(context)
    return result.snapshot


class _Printed:
    """The events, each printed to whoever reads along before the next is waited for."""

    def __init__(self, context: Context, events: Iterable[Event]) -> None:
        self.last_error: Exception | None = None
        self._context = context
        self._events = events

    def __iter__(self) -> Iterator[Event]:
        for event in self._events:
            self.last_error = event.error
            yield event
            self._context.stdout.flush()


def _fields(event: Event) -> Document:
    return {
        "time": units.utc_time(event.time_ns),
        "reason": event.reason,
        "id": None if event.snapshot is None else event.snapshot.id.hex(),
        "error": None if event.error is None else error_fields(as_error(event.error)),
        "retry_seconds": event.retry_seconds,
    }


def _as_text(events: Iterable[Event]) -> Iterator[str]:
    for event in events:
        if event.error is not None:
            message = as_error(event.error).message
            again = f"; tried again in {event.retry_seconds:.0f} s" if event.retry_seconds else ""
            what = f"no snapshot: {message}{again}"
        elif event.snapshot is None:
            what = "nothing to store"
        else:
            what = f"snapshot {described(event.snapshot)}"
        yield f"{units.local_time(event.time_ns)} {event.reason}: {what}"
