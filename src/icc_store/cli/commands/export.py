"""`icc-store export`: a snapshot as a tar archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.cli.output import warning_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.codec.archive_stream import ArchiveFormat
from icc_store.errors import PartialResult, UsageError
from icc_store.operations.resolve import resolve, stored_path

if TYPE_CHECKING:
    from icc_store.operations.tar_export import ExportResult

DOCUMENT = {
    "snapshot": ROW,
    "file": "the archive",
    "format": "tar, tar.gz or tar.zst",
    "files": "regular files in it",
    "directories": "directories in it",
    "others": "symbolic links, FIFOs and devices in it",
    "links": "members that are one more name of another",
    "size": "bytes of the files, holes included",
    "plain_size": "bytes of the archive before compression",
    "written_size": "bytes of the archive",
    "problems": "path and message of what is damaged and was left out or stands as zeros",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store export latest --tar memory.tar.zst",
        "icc-store export friday --tar notes.tar.gz notes todo.md",
        "icc-store export latest --tar - | tar -tv",
    ),
)
@snapshot_argument
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option("--tar", "file", required=True, metavar="FILE", help=".tar, .tar.gz, .tgz or .tar.zst; - for stdout.")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in ArchiveFormat]), help="Whatever the name says."
)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@source_option
@click.pass_obj
def command(
    context: Context,
    /,
    snapshot: str,
    paths: tuple[str, ...],
    *,
    file: str,
    form: str | None,
    force: bool,
    source: str | None,
) -> None:
    """Write SNAP, or each PATH in it, as a PAX tar archive.

    The uncompressed bytes depend on the snapshot alone. Times to the nanosecond, hard links, holes, extended
    attributes and ACLs are in it; GNU tar restores the last two with --xattrs --xattrs-include='*' --acls.
    """
    from icc_store.operations.tar_export import ExportOptions, export_tar

    to_stdout = file == "-"
    if to_stdout and context.settings.json:
        raise UsageError("the archive and JSON cannot both go to stdout", hint="name a file with --tar")
    if to_stdout and context.stdout.isatty():
        raise UsageError("an archive is nothing for a terminal", hint="redirect stdout, or name a file with --tar")
    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=source, monitor=context.monitor)
        chosen = tuple(stored_path(found.record, path) for path in paths)
        options = ExportOptions(chosen, ArchiveFormat(form) if form else None, force=force, threads=os.cpu_count() or 1)
        target = (lambda data: context.output.write_bytes((data,))) if to_stdout else Path(file)
        result = export_tar(repository, found.record, target=target, options=options, monitor=context.monitor)
    context.monitor.finish()
    if not to_stdout:
        document = {"snapshot": snapshot_fields(found), "file": file, **_fields(result)}
        context.output.emit("export", document, lambda: _lines(result, file, described(found)), summary=True)
    context.output.warnings(result.problems)
    if result.problems:
        raise PartialResult(f"{units.plural(len(result.problems), 'path')} of the snapshot could not be read whole")


def _fields(result: ExportResult) -> dict[str, object]:
    return {
        "format": str(result.form),
        "files": result.files,
        "directories": result.directories,
        "others": result.others,
        "links": result.links,
        "size": result.size,
        "plain_size": result.plain_size,
        "written_size": result.written_size,
        "problems": warning_fields(result.problems),
    }


def _lines(result: ExportResult, file: str, snapshot: str) -> Iterator[str]:
    yield f"{file}: {units.size(result.written_size)}, snapshot {snapshot}"
    links = f", {units.plural(result.links, 'hard link')}" if result.links else ""
    directories = units.plural(result.directories, "directory", "directories")
    yield f"  {units.plural(result.files, 'file')} of {units.size(result.size)}, {directories}{links}"
