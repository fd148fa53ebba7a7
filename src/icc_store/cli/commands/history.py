"""`icc-store history`: every version of an entity or file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.entity_fields import FIELD
from icc_store.cli.field_changes import change_fields, change_lines, one_line
from icc_store.cli.output import Document, path_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import BRIEF, brief_fields, short_id
from icc_store.cli.text_width import PLAIN_WIDTH, shorten, shorten_start
from icc_store.cli.units import local_time, plural, size, utc_time
from icc_store.errors import DamageError
from icc_store.model.paths import display

if TYPE_CHECKING:
    from icc_store.operations.memory.history import History, Version

DOCUMENT = {
    "id": "the entity's id; of a file that is none, its path",
    "type": "its type, empty where none is known",
    "path": "where it is, or was last",
    "present": "whether the newest snapshot has it",
    "searched": "how many snapshots were looked at",
    "versions": {
        "snapshot": BRIEF,
        "change": "added, changed, moved, removed or returned",
        "path": "where it is then",
        "moved_from": "where it was before, or null",
        "size": "bytes of the file, or null when it was removed",
        "mtime": "when the file was changed last, or null",
        "fields": FIELD,
        "problem": "why the fields cannot be told, else empty",
    },
}

_INDENT = "    "


@click.command(
    cls=Command,
    examples=(
        "icc-store history Learning-timeout_retry-20261101",
        "icc-store history notes/setup.md --last 5",
        "icc-store history config/settings.json --json",
    ),
)
@click.argument("what", metavar="ID-or-PATH")
@click.option("--last", type=click.IntRange(min=1), metavar="N", help="Only the newest N versions.")
@source_option
@json_lines_option
@click.pass_obj
def command(context: Context, *, what: str, last: int | None, source: str | None) -> None:
    """Show every version of an entity or file, oldest first: when it came, what changed, when it moved or went.

    It is named by its id, its path in the snapshots, or the name of its file without the ending. Without --source, the
    snapshots of the latest one's source are looked at.
    """
    from icc_store.operations.memory.history import history

    with context.open(readonly=True) as repository:
        found = history(repository, what, source=source, monitor=context.monitor)
    versions = found.versions if last is None else found.versions[-last:]
    head = {"id": found.id, "type": found.type} | path_fields(found.path)
    context.output.emit_rows(
        "history",
        versions,
        as_json=_fields,
        as_text=lambda rows: _lines(rows, found, context.output.width, quiet=context.settings.quiet),
        key="versions",
        head=head | {"present": found.is_there, "searched": found.searched},
    )
    if any(version.damaged for version in versions):
        raise DamageError("not all versions could be read", hint="run `icc-store verify`")


def _fields(version: Version) -> Document:
    fields: Document = {"snapshot": brief_fields(version.snapshot), "change": str(version.kind)}
    fields |= path_fields(version.path)
    fields |= {"moved_from": None} if version.moved_from is None else path_fields(version.moved_from, "moved_from")
    return fields | {
        "size": version.size,
        "mtime": None if version.mtime_ns is None else utc_time(version.mtime_ns),
        "fields": [change_fields(change) for change in version.fields],
        "problem": version.problem,
    }


def _lines(versions: Iterable[Version], found: History, width: int | None, *, quiet: bool) -> Iterator[str]:
    room = width or PLAIN_WIDTH
    kind = f"  ({found.type})" if found.type else ""
    yield shorten(one_line(found.id + kind), room)
    if display(found.path) != found.id:
        yield shorten_start(display(found.path), room)
    for version in versions:
        length = "" if version.size is None else size(version.size)
        name = one_line(version.snapshot.record.name)
        when = local_time(version.snapshot.record.time_ns)[:16]
        line = f"{short_id(version.snapshot)}  {when}  {version.kind:8}  {length:>8}  {name}"
        yield shorten(line.rstrip(), room)
        if version.moved_from is not None:
            yield f"{_INDENT}from {shorten_start(display(version.moved_from), room - len(_INDENT) - 5)}"
        if version.problem:
            yield _INDENT + shorten(one_line(version.problem), room - len(_INDENT))
        elif _is_rewritten(version):
            yield f"{_INDENT}only written in another form"
        yield from change_lines(version.fields, width, _INDENT)
    if not quiet:
        yield f"{plural(len(found.versions), 'version')} in {plural(found.searched, 'snapshot')}"


def _is_rewritten(version: Version) -> bool:
    """Whether the bytes changed and what they say did not."""
    return version.kind == "changed" and not version.fields
