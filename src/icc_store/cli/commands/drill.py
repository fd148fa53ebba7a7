"""`icc-store drill`: a restore to nowhere, to know that one would work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.output import Document, path_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.config import settings_for
from icc_store.errors import DamageError, SnapshotNotFound
from icc_store.model.paths import display
from icc_store.operations.resolve import resolve

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.model.repository import Repository
    from icc_store.operations.drill import DrillResult

DOCUMENT = {
    "drills": {
        "snapshot": ROW,
        "passed": "whether all of it came back as it was",
        "failure": "what went wrong, else empty",
        "files": "paths that were read back and compared",
        "size": "bytes that were restored",
        "failures": "path, message and damage of each file that did not come back",
        "hash_expected": "the integrity hash of its manifest, empty without one",
        "hash_found": "the same of what was restored",
        "errors": "errors that validation finds in a restored memory, stored as they were; null of other snapshots",
        "duration_ns": "how long it took",
    }
}


@click.command(
    cls=Command,
    examples=(
        "icc-store drill                 the newest full snapshot of each source",
        "icc-store drill friday",
        "icc-store drill --temp-directory /mnt/scratch",
    ),
)
@click.argument("snapshot", required=False, metavar="[SNAP]")
@click.option("--temp-directory", metavar="DIR", help="Where to restore for a while, if not where settings say.")
@source_option
@click.pass_obj
def command(context: Context, *, snapshot: str | None, temp_directory: str | None, source: str | None) -> None:
    """Restore SNAP to a temporary directory, compare all of it, and remove it again.

    Every file is read back from the disk and compared with its content id; all of a memory is compared with the
    integrity hash of its manifest, and validated. The result is noted in the repository, for `show` and `health`. The
    exit code is 6 when something did not come back.
    """
    from icc_store.operations.drill import drill

    results: list[DrillResult] = []
    with context.open() as repository:
        for one in _wanted(context, repository, snapshot, source):
            place = _place(context, one, temp_directory)
            results.append(drill(repository, one, place, monitor=context.monitor, clock=context.clock))
        drilled = [repository.snapshot(each.snapshot.id) for each in results]
    context.monitor.finish()
    documents = [_fields(result, now) for result, now in zip(results, drilled, strict=True)]
    context.output.emit("drill", {"drills": documents}, lambda: _lines(results), summary=True)
    failed = [result for result in results if result.failure]
    if failed:
        raise DamageError(
            f"{units.plural(len(failed), 'snapshot')} could not be restored whole: {failed[0].failure}",
            hint="run `icc-store verify`, and take a new snapshot",
        )


def _wanted(context: Context, repository: Repository, name: str | None, source: str | None) -> list[Snapshot]:
    from icc_store.operations.drill import newest_of_each_source

    if name is not None:
        return [resolve(repository, name, source=source, monitor=context.monitor)]
    found = newest_of_each_source(repository, source)
    if not found:
        of = f" of source {source!r}" if source else ""
        raise SnapshotNotFound(f"there is no full snapshot{of} yet", hint="take one with `icc-store snapshot`")
    return found


def _place(context: Context, snapshot: Snapshot, given: str | None) -> Path:
    """Where to restore for a while: where the option says, else where the settings of what was backed up say."""
    if given is not None:
        return Path(given)
    paths = snapshot.record.paths
    memory = Path(os.fsdecode(paths[0])) if len(paths) == 1 else None
    return settings_for(memory, context.environ, context.config).temporary


def _fields(result: DrillResult, now: Snapshot) -> Document:
    return {
        "snapshot": snapshot_fields(now),
        "passed": not result.failure,
        "failure": result.failure,
        "files": result.files,
        "size": result.size,
        "failures": [
            path_fields(each.path) | {"message": each.message, "damage": each.damage} for each in result.failures
        ],
        "hash_expected": result.hash_expected,
        "hash_found": result.hash_found,
        "errors": result.errors,
        "duration_ns": result.duration_ns,
    }


def _lines(results: list[DrillResult]) -> Iterator[str]:
    for result in results:
        verdict = "came back as it was" if not result.failure else "DID NOT come back as it was"
        yield f"snapshot {described(result.snapshot)}: {verdict}"
        hashed = ", integrity hash and counts as in the manifest" if result.hash_expected and not result.failure else ""
        took = units.duration(result.duration_ns)
        yield (
            f"  {units.plural(result.files, 'path')}, {units.size(result.size)}, read back and compared{hashed}; {took}"
        )
        for each in result.failures:
            yield f"  {display(each.path) or '.'}: {each.message}"
        if result.errors:
            yield f"  {units.plural(result.errors, 'error')} in the memory, stored as they were; `icc-store validate`"
        if result.failure and not result.failures:
            yield f"  {result.failure}"
