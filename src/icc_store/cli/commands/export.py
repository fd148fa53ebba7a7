"""`icc-store export`: a snapshot as a tar archive, or as a backup of the memory system."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.cli.output import Document, warning_fields
from icc_store.cli.snapshot_fields import ROW, described, snapshot_fields
from icc_store.codec.archive_stream import ArchiveFormat
from icc_store.config import memory_directory
from icc_store.errors import PartialResult, TargetError, UsageError
from icc_store.operations.resolve import resolve, stored_path

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.model.repository import Repository
    from icc_store.operations.memory.export import Backup
    from icc_store.operations.tar_export import ExportResult

DOCUMENT = {
    "snapshot": ROW,
    "file": "the archive or directory",
    "format": "tar, tar.gz, tar.zst or directory",
    "backup_id": "the directory that everything is in, as the manifest has it; null for a plain tree",
    "integrity_hash": "of SHA256SUMS, as the manifest has it; null for a plain tree",
    "files": "regular files of the snapshot in it",
    "directories": "directories in it",
    "others": "symbolic links, FIFOs and devices in it",
    "links": "members that are one more name of another; null for a directory",
    "size": "bytes of the files, holes included",
    "plain_size": "bytes of the archive before compression; null for a directory",
    "written_size": "bytes of the archive; null for a directory",
    "problems": "path and message of what is damaged and was left out or stands as zeros",
}

_NO_VALUE = "\0"
"""What an option is that was given without its value; no file can be called so."""


@click.command(
    cls=Command,
    examples=(
        "icc-store export latest --tar                     a memory, to its backup directory",
        "icc-store export latest --directory /media/usb    the same, unpacked",
        "icc-store export latest --tar memory.tar.zst --plain",
        "icc-store export friday --tar notes.tar.gz notes todo.md",
        "icc-store export latest --tar - | tar -tv",
    ),
)
@snapshot_argument
@click.argument("paths", nargs=-1, metavar="[PATH...]")
@click.option(
    "--tar",
    "file",
    is_flag=False,
    flag_value=_NO_VALUE,
    metavar="[FILE]",
    help=".tar, .tar.gz, .tgz or .tar.zst; - for stdout. Without FILE, of a memory: BACKUP_ID.tar.gz.",
)
@click.option(
    "--directory",
    is_flag=False,
    flag_value=_NO_VALUE,
    metavar="[DIR]",
    help="The backup of a memory unpacked: the directory BACKUP_ID in DIR.",
)
@click.option("--plain", is_flag=True, help="The bare tree also of a memory, without manifest and checksums.")
@click.option(
    "--format", "form", type=click.Choice([form.value for form in ArchiveFormat]), help="Whatever the name says."
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@source_option
@click.pass_obj
def command(context: Context, /, snapshot: str, paths: tuple[str, ...], **given: Any) -> None:
    """Write SNAP, or each PATH in it, as a PAX tar archive.

    A memory becomes a backup as its memory system expects it: everything in a directory BACKUP_ID
    (backup-YYYYMMDD-HHMMSS) with manifest.json and SHA256SUMS, which `sha256sum -c` checks. Without FILE or DIR it
    goes to the `backup_directory` of the settings. Anything else, single PATHs, and all with --plain, is the bare tree.

    The uncompressed bytes depend on the snapshot alone. Times to the nanosecond, hard links, holes, extended
    attributes and ACLs are in it; GNU tar restores the last two with --xattrs --xattrs-include='*' --acls.
    """
    _check(context, paths, given)
    with context.open(readonly=True) as repository:
        found = resolve(repository, snapshot, source=given["source"], monitor=context.monitor)
        backup = _backup(context, repository, found, paths, given)
        if given["directory"] is not None:
            document, problems = _to_directory(context, repository, found, backup, given)
        else:
            document, problems = _to_tar(context, repository, found, backup=backup, paths=paths, given=given)
    context.monitor.finish()
    if given["file"] != "-":
        shown = {"snapshot": snapshot_fields(found), **document, "problems": warning_fields(problems)}
        context.output.emit("export", shown, lambda: _lines(document, described(found)), summary=True)
    context.output.warnings(problems)
    if problems:
        raise PartialResult(f"{units.plural(len(problems), 'path')} of the snapshot could not be read whole")


_Outcome = tuple[Document, tuple[tuple[bytes, str], ...]]


def _check(context: Context, paths: tuple[str, ...], given: dict[str, Any]) -> None:
    if (given["file"] is None) == (given["directory"] is None):
        raise UsageError("say where to: --tar [FILE] or --directory [DIR]")
    if given["directory"] is not None and (given["plain"] or paths or given["form"]):
        raise UsageError(
            "--directory writes the whole backup of a memory", hint="`icc-store restore` writes bare trees"
        )
    if given["file"] == "-" and context.settings.json:
        raise UsageError("the archive and JSON cannot both go to stdout", hint="name a file with --tar")
    if given["file"] == "-" and context.stdout.isatty():
        raise UsageError("an archive is nothing for a terminal", hint="redirect stdout, or name a file with --tar")


def _backup(
    context: Context, repository: Repository, found: Snapshot, paths: tuple[str, ...], given: dict[str, Any]
) -> Backup | None:
    """What makes it a backup; None where the bare tree is wanted, or all there is."""
    from icc_store.operations.memory.export import backup_of
    from icc_store.operations.memory.manifest import is_memory

    if given["directory"] is None and (given["plain"] or paths or not is_memory(repository, found)):
        if given["file"] == _NO_VALUE:
            raise UsageError("only the whole backup of a memory has a name of its own", hint="name a file: --tar FILE")
        return None
    return backup_of(repository, found, monitor=context.monitor)


def _place(context: Context, found: Snapshot) -> Path:
    """Where backups of the snapshot's memory are kept, as its settings say now, or those of the usual memory."""
    taken_of = [Path(os.fsdecode(path)) for path in found.record.paths]
    memory = taken_of[0] if len(taken_of) == 1 and taken_of[0].is_dir() else memory_directory(context.environ)
    return context.memory_settings(memory).backups


def _to_directory(
    context: Context, repository: Repository, found: Snapshot, backup: Backup | None, given: dict[str, Any]
) -> _Outcome:
    from icc_store.operations.memory.export_directory import export_directory

    if backup is None:
        raise UsageError("only the backup of a memory is written as a directory")
    parent = _place(context, found) if given["directory"] == _NO_VALUE else Path(given["directory"])
    problems = export_directory(
        repository,
        found,
        backup=backup,
        parent=parent,
        replace=given["force"],
        monitor=context.monitor,
        clock=context.clock,
    )
    document: Document = {
        "file": str(parent / backup.name),
        "format": "directory",
        **_backup_fields(backup),
        "files": backup.files,
        "directories": backup.directories,
        "others": backup.others,
        "links": None,
        "size": backup.size,
        "plain_size": None,
        "written_size": None,
    }
    return document, _joined(backup, problems)


def _to_tar(
    context: Context,
    repository: Repository,
    found: Snapshot,
    *,
    backup: Backup | None,
    paths: tuple[str, ...],
    given: dict[str, Any],
) -> _Outcome:
    from icc_store.operations.tar_export import ExportOptions, export_tar

    file = given["file"]
    if file == _NO_VALUE and backup is not None:
        place = _place(context, found)
        try:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise TargetError(f"{place} cannot be made: {error.strerror}", hint="name a file: --tar FILE") from error
        file = str(place / f"{backup.name}.{given['form'] or ArchiveFormat.GZIP}")
    options = ExportOptions(
        tuple(stored_path(found.record, path) for path in paths),
        ArchiveFormat(given["form"]) if given["form"] else None,
        force=given["force"],
        threads=os.cpu_count() or 1,
        wrapping=backup.wrapping if backup is not None else None,
    )
    target = (lambda data: context.output.write_bytes((data,))) if file == "-" else Path(file)
    result = export_tar(repository, found.record, target=target, options=options, monitor=context.monitor)
    return {"file": file, **_backup_fields(backup), **_fields(result)}, _joined(backup, result.problems)


def _joined(backup: Backup | None, problems: tuple[tuple[bytes, str], ...]) -> tuple[tuple[bytes, str], ...]:
    """Each path once; what writing it met says more."""
    return tuple({**dict(backup.problems if backup is not None else ()), **dict(problems)}.items())


def _backup_fields(backup: Backup | None) -> Document:
    return {
        "backup_id": backup.name if backup is not None else None,
        "integrity_hash": backup.manifest["integrity_hash"] if backup is not None else None,
    }


def _fields(result: ExportResult) -> Document:
    return {
        "format": str(result.form),
        "files": result.files,
        "directories": result.directories,
        "others": result.others,
        "links": result.links,
        "size": result.size,
        "plain_size": result.plain_size,
        "written_size": result.written_size,
    }


def _lines(document: Document, snapshot: str) -> Iterator[str]:
    size = "" if document["written_size"] is None else f"{units.size(document['written_size'])}, "
    yield f"{document['file']}: {size}snapshot {snapshot}"
    links = f", {units.plural(document['links'], 'hard link')}" if document["links"] else ""
    directories = units.plural(document["directories"], "directory", "directories")
    yield f"  {units.plural(document['files'], 'file')} of {units.size(document['size'])}, {directories}{links}"
    if document["integrity_hash"]:
        yield f"  {document['integrity_hash']}"
