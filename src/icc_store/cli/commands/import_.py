"""`icc-store import`: a snapshot of a tar archive."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import warning_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields

if TYPE_CHECKING:
    from icc_store.operations.tar_import import ImportResult

DOCUMENT = {
    "snapshot": ROW,
    "counters": "as of `snapshot`",
    "warnings": "path and message of what could not be taken as the archive has it",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store import memory.tar.zst --name from-laptop",
        "icc-store import old.tgz --source laptop --tag archive",
        "ssh laptop tar -cz notes | icc-store import -",
    ),
)
@click.argument("file", metavar="FILE")
@click.option("--name", default="", help="A name to find it by.")
@click.option("--tag", "tags", multiple=True, help="A tag; may be given several times.")
@click.option("--note", default="", help="A note on it.")
@click.option("--source", default="", metavar="NAME", help="What it is a snapshot of, if not just this archive.")
@click.option("--host", default="", metavar="NAME", help="The machine it is of, if not this one.")
@click.pass_obj
def command(
    context: Context, /, file: str, *, name: str, tags: tuple[str, ...], note: str, source: str, host: str
) -> None:
    """Make a snapshot of class import from a tar archive: plain, gzip or zstd; - for stdin.

    What `export` wrote comes back as the same tree. An archive that is broken, or holds absolute names or `..`, is
    refused as a whole.
    """
    from icc_store.operations.resolve import check_name
    from icc_store.operations.tar_import import ImportOptions, import_tar

    if name:
        check_name(name)
    options = ImportOptions(name=name, tags=tags, note=note, source=source, host=host)
    archive = sys.stdin.buffer if file == "-" else Path(file)
    with context.open_or_make() as repository:
        result = import_tar(repository, archive, options=options, monitor=context.monitor, clock=context.clock)
    context.monitor.finish()
    document = {
        "snapshot": snapshot_fields(result.snapshot),
        "counters": vars(result.snapshot.record.counters),
        "warnings": warning_fields(result.warnings),
    }
    context.output.emit("import", document, lambda: _lines(result), summary=True)
    context.output.warnings(result.warnings)


def _lines(result: ImportResult) -> Iterator[str]:
    counted = result.snapshot.record.counters
    yield f"snapshot {described(result.snapshot)}"
    directories = units.plural(counted.directories, "directory", "directories")
    yield f"  {units.plural(counted.files, 'file')} of {units.size(counted.size)}, {directories}"
    added, stored = units.size(counted.added_plain), units.size(counted.added_stored)
    yield f"  added {added}, stored in {stored}, in {units.duration(counted.duration_ns)}"
