"""`icc-store find`: paths in all snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.entry_fields import ROW, entry_fields, shown_name
from icc_store.cli.output import Document, path_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import short_id
from icc_store.cli.units import local_time, plural, size, utc_time
from icc_store.errors import DamageError
from icc_store.operations.find import FindOptions, Version, find

DOCUMENT = {
    "pattern": "what was looked for",
    "searched": "how many snapshots were looked into",
    "damaged": {"path": "a directory that could not be read", "message": "why"},
    "versions": ROW
    | {
        "snapshots": {
            "id": "a snapshot that has this version of the path",
            "seq": "its number",
            "time": "when it was taken",
        }
    },
}


@click.command(
    cls=Command,
    examples=("icc-store find '*.md'", "icc-store find 'notes/**/todo*'", "icc-store find -i readme --json-lines"),
)
@click.argument("pattern")
@click.option("-i", "--ignore-case", is_flag=True, help="Capital and small letters are alike.")
@click.option("--source", metavar="NAME", help="Only in snapshots of this source.")
@json_lines_option
@click.pass_obj
def command(context: Context, *, pattern: str, ignore_case: bool, source: str | None) -> None:
    """Find every version of the paths that match PATTERN, and the snapshots that have it.

    A PATTERN without a slash fits a name anywhere; one with a slash fits whole stored paths. `*`, `?` and `[...]`
    stay within a name, `**` stands for any directories.
    """
    with context.open(readonly=True) as repository:
        findings = find(repository, pattern, FindOptions(source, ignore_case), monitor=context.monitor)
    damaged = [path_fields(path) | {"message": message} for path, message in findings.damaged]

    def as_text(versions: Iterable[Version]) -> Iterator[str]:
        yield from _lines(versions)
        if not findings.versions:
            yield f"nothing matches in {plural(findings.searched, 'snapshot')}"

    context.output.emit_rows(
        "find",
        findings.versions,
        as_json=_fields,
        as_text=as_text,
        key="versions",
        head={"pattern": pattern, "searched": findings.searched, "damaged": damaged},
    )
    if findings.damaged:
        context.output.warnings(findings.damaged)
        raise DamageError(
            f"{plural(len(findings.damaged), 'directory', 'directories')} could not be searched",
            hint="run `icc-store verify`",
        )


def _fields(version: Version) -> Document:
    snapshots = [
        {"id": one.id.hex(), "seq": one.record.seq, "time": utc_time(one.record.time_ns)} for one in version.snapshots
    ]
    return entry_fields(version.path, version.entry) | {"snapshots": snapshots}


def _lines(versions: Iterable[Version]) -> Iterator[str]:
    """A path, and below it a line for each of its versions."""
    for _, group in groupby(versions, key=lambda one: one.path):
        same_path = list(group)
        yield shown_name(same_path[0].path, same_path[0].entry)
        for version in same_path:
            entry = version.entry
            length = size(entry.size) if entry.is_file else "-"
            first, last = version.snapshots[0], version.snapshots[-1]
            where = short_id(first) if first is last else f"{short_id(first)} to {short_id(last)}"
            count = plural(len(version.snapshots), "snapshot")
            yield f"  {length:>9}  {local_time(entry.mtime_ns)}  in {count}: {where}"
