"""`icc-store import`: a snapshot of a tar archive, or of an unpacked backup."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields, warning_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.errors import PartialResult
from icc_store.model.paths import display

if TYPE_CHECKING:
    from icc_store.operations.tar_import import ImportResult

DOCUMENT = {
    "snapshot": ROW,
    "counters": "as of `snapshot`",
    "below": "the directories around a memory that were taken off; empty for none",
    "checked": "files that are what SHA256SUMS of the backup says; null where there is none",
    "warnings": "path and message of what could not be taken as the archive has it",
    "problems": "path and message of each file that is not what SHA256SUMS says, or is missing",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store import backup-20261101-120000.tar.gz",
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

    The backup of a memory, FILE or an unpacked directory, may be made by `export` or by hand: directories around it
    are taken off, and so are its manifest.json, which gives name and time, and SHA256SUMS, which every file is
    compared with. A file that differs is stored as it is and listed, and the exit code is 3.
    """
    from icc_store.operations.memory.import_directory import import_directory
    from icc_store.operations.resolve import check_name
    from icc_store.operations.tar_import import ImportOptions, import_tar

    if name:
        check_name(name)
    options = ImportOptions(name=name, tags=tags, note=note, source=source, host=host)
    archive = sys.stdin.buffer if file == "-" else Path(file)
    with context.open_or_make() as repository:
        if isinstance(archive, Path) and archive.is_dir():
            result = import_directory(
                repository, archive, options=options, monitor=context.monitor, clock=context.clock
            )
        else:
            result = import_tar(repository, archive, options=options, monitor=context.monitor, clock=context.clock)
    context.monitor.finish()
    document = {
        "snapshot": snapshot_fields(result.snapshot),
        "counters": vars(result.snapshot.record.counters),
        **path_fields(result.below, "below"),
        "checked": result.checked,
        "warnings": warning_fields(result.warnings),
        "problems": warning_fields(result.problems),
    }
    context.output.emit("import", document, lambda: _lines(result), summary=True)
    context.output.warnings(result.problems + result.warnings)
    if result.problems:
        raise PartialResult(f"{units.plural(len(result.problems), 'path')} of the backup could not be proven")


def _lines(result: ImportResult) -> Iterator[str]:
    counted = result.snapshot.record.counters
    yield f"snapshot {described(result.snapshot)}"
    directories = units.plural(counted.directories, "directory", "directories")
    yield f"  {units.plural(counted.files, 'file')} of {units.size(counted.size)}, {directories}"
    if result.below:
        yield f"  of the memory in {display(result.below)}"
    if result.checked is not None:
        yield f"  {units.plural(result.checked, 'file')} proven by SHA256SUMS"
    added, stored = units.size(counted.added_plain), units.size(counted.added_stored)
    yield f"  added {added}, stored in {stored}, in {units.duration(counted.duration_ns)}"
