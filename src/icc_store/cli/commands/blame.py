"""`icc-store blame`: since when each field, item or line is in an entity or file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.field_changes import one_line, value_text
from icc_store.cli.output import Document, path_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import BRIEF, brief_fields, described, short_id
from icc_store.cli.table import Column, table
from icc_store.cli.units import local_time

if TYPE_CHECKING:
    from icc_store.operations.memory.blame import Blame, Part

DOCUMENT = {
    "id": "the entity's id; of a file that is none, its path",
    "type": "its type, empty where none is known",
    "path": "where it is, or was last",
    "since": BRIEF | {"id": "the first snapshot with this version"},
    "gone": "the snapshot from which on it is not there, with the same fields; null while it is there",
    "problem": "why a newer version cannot be taken apart, else empty",
    "parts": {
        "field": "its name by dotted path; `section Setup` of a note, `text` before its first heading",
        "index": "which item of a list or line of a text, from 0; else null",
        "value": "what it says",
        "entered": BRIEF | {"id": "the snapshot in which it entered"},
    },
}

_COLUMNS = (Column("ENTERED"), Column("TIME"), Column("FIELD", flexible=True), Column("VALUE", flexible=True))
_LINE_COLUMNS = (Column("ENTERED"), Column("TIME"), Column("LINE", right=True), Column("TEXT", flexible=True))


@click.command(
    cls=Command,
    examples=(
        "icc-store blame Learning-timeout_retry-20261101",
        "icc-store blame notes/setup.md --snapshot friday",
        "icc-store blame config/settings.json --lines",
    ),
)
@click.argument("what", metavar="ID-or-PATH")
@click.option("--snapshot", metavar="SNAP", help="Blame what this snapshot has; else the newest version.")
@click.option("--lines", is_flag=True, help="Line by line, also where the fields are known.")
@source_option
@json_lines_option
@click.pass_obj
def command(context: Context, *, what: str, snapshot: str | None, lines: bool, source: str | None) -> None:
    """Show for each field, list item or line the snapshot in which it entered.

    The entity or file is named as in `history`. A field entered when it got the value that it has.
    """
    from icc_store.operations.memory.blame import BlameOptions, blame

    with context.open(readonly=True) as repository:
        options = BlameOptions(source, snapshot, lines)
        found = blame(repository, what, options=options, monitor=context.monitor)
    head: Document = {"id": found.id, "type": found.type} | path_fields(found.path)
    head |= {"since": brief_fields(found.since), "gone": brief_fields(found.gone) if found.gone else None}
    context.output.emit_rows(
        "blame",
        found.parts,
        as_json=_fields,
        as_text=lambda rows: _lines(rows, context.output.width),
        key="parts",
        head=head | {"problem": found.problem},
    )
    _tell(context, found)


def _tell(context: Context, found: Blame) -> None:
    """Say on stderr what is special about this version."""
    if found.gone is not None:
        context.monitor.note(f"it is gone since {described(found.gone)}; this is its last version")
    if found.problem:
        context.monitor.note(f"the version after {described(found.since)} is left out: {found.problem}")


def _fields(part: Part) -> Document:
    return {"field": part.field, "index": part.index, "value": part.value, "entered": brief_fields(part.entered)}


def _lines(parts: Iterable[Part], width: int | None) -> Iterator[str]:
    parts = list(parts)
    one_text = len({part.field for part in parts}) == 1 and all(part.is_line for part in parts)
    rows = [
        [
            short_id(part.entered),
            local_time(part.entered.record.time_ns)[:16],
            str((part.index or 0) + 1) if one_text else _place(part),
            one_line(part.value) if part.is_line else value_text(part.value),
        ]
        for part in parts
    ]
    return table(_LINE_COLUMNS if one_text else _COLUMNS, rows, width)


def _place(part: Part) -> str:
    """`tags[2]` for an item, `Setup:3` for a line of a section."""
    field = one_line(part.field)
    if part.index is None:
        return field
    if part.is_line:
        return f"{field.removeprefix('section ')}:{part.index + 1}"
    return f"{field}[{part.index}]"
