"""`icc-store hook`: a snapshot before a dangerous step, and an exit code that says whether to take it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.failures import as_error
from icc_store.cli.memory_path import memory_path
from icc_store.cli.output import Document, warning_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.cli.usual_snapshot import usual_options, usual_taker
from icc_store.errors import DamageError, IccStoreError, PartialResult

if TYPE_CHECKING:
    from icc_store.operations.hook import Guard

STEPS = ("pre-migrate", "pre-reset", "pre-cleanup", "pre-upgrade")
_STOP = "do not go on"

DOCUMENT = {
    "safe": "whether the caller may go on: the snapshot is there, pinned, complete and was read back",
    "snapshot": ROW,
    "problems": "path and message of each file that could not be read",
    "findings": "what reading the snapshot back found wrong",
    "doubts": "what is wrong with its manifest or its validation",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store hook pre-migrate && ./migrate.sh",
        "icc-store hook pre-upgrade ~/notes --json",
    ),
)
@click.argument("step", type=click.Choice(STEPS))
@click.argument("path", required=False, metavar="[PATH]")
@click.option("--source", metavar="NAME", help="What it is a snapshot of, for `latest` and retention.")
@click.pass_obj
def command(context: Context, *, step: str, path: str | None, source: str | None) -> None:
    """Take a named, pinned snapshot of PATH before STEP, and read all of it back.

    The exit code is 0 only when every file is stored and every object of the snapshot was read back: then the caller
    may go on. With any other code it must not. The snapshot is named for the step and the time, and stays until it is
    unpinned and forgotten. Without PATH, it is of this machine's agent memory.
    """
    try:
        done = _guard(context, path, step, source)
    except Exception as problem:  # whatever it was, the caller must read that it is not safe to go on
        error = as_error(problem)
        error.message = f"{_STOP}: {error.message}"
        if error is problem:
            raise
        raise error from problem
    context.monitor.finish()
    context.output.emit("hook", _document(done), lambda: _lines(done), summary=done.is_whole)
    context.output.warnings(done.taken.problems)
    if not done.is_whole:
        raise _reason(done)


def _guard(context: Context, path: str | None, step: str, source: str | None) -> Guard:
    from icc_store.operations.hook import Step, guard

    where = Path(path) if path else memory_path(context)
    options = usual_options(context, where, source)
    take = usual_taker(context)
    monitor, clock = context.monitor, context.clock
    with context.open_or_make() as repository:
        return guard(repository, [where], Step(step), options=options, take=take, monitor=monitor, clock=clock)


def _reason(done: Guard) -> IccStoreError:
    """The error whose exit code says what is missing."""
    if done.checked.findings:
        count = units.plural(len(done.checked.findings), "finding")
        return DamageError(
            f"{_STOP}: the snapshot could not be read back ({count})", hint="`icc-store verify` names the files"
        )
    if done.taken.problems:
        count = units.plural(len(done.taken.problems), "file")
        return PartialResult(f"{_STOP}: {count} could not be read, so the snapshot does not hold everything")
    return PartialResult(f"{_STOP}: the snapshot did not pass its validation: {'; '.join(done.doubts)}")


def _document(done: Guard) -> Document:
    return {
        "safe": done.is_whole,
        "snapshot": snapshot_fields(done.snapshot),
        "problems": warning_fields(done.taken.problems),
        "findings": [finding.what for finding in done.checked.findings],
        "doubts": list(done.doubts),
    }


def _lines(done: Guard) -> Iterator[str]:
    record = done.snapshot.record
    files = f"{units.plural(record.counters.files, 'file')} of {units.size(record.counters.size)}"
    yield f"snapshot {described(done.snapshot)}: {files}, pinned"
    for finding in done.checked.findings:
        yield f"  {finding.severity}: {finding.what}"
    if done.is_whole:
        yield "  read back and whole: it is safe to go on"
