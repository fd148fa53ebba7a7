"""`icc-store search`: entities, living or gone, that contain a text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.field_changes import one_line
from icc_store.cli.output import Document, path_fields, warning_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import BRIEF, brief_fields, short_id
from icc_store.cli.text_width import PLAIN_WIDTH, shorten
from icc_store.cli.units import local_time, plural
from icc_store.errors import DamageError, PartialResult

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.operations.memory.search import Hit, SearchResult

DOCUMENT = {
    "text": "what was looked for",
    "searched": "how many snapshots were looked into",
    "unread": {"path": "a file that was not looked into", "message": "why"},
    "damaged": {"path": "a file or directory that cannot be read from the repository", "message": "why"},
    "hits": {
        "id": "the entity's id; of a note its path",
        "type": "its type, empty where none is known",
        "path": "where it was in the last snapshot in which it contains the text",
        "state": "present: the newest snapshot has it with the text; changed: without the text; deleted: not at all",
        "first": BRIEF | {"id": "the first snapshot in which it contains the text"},
        "last": BRIEF | {"id": "the last one"},
        "snapshots": "in how many it does",
        "passages": {"field": "a field, item or line with the text in it, at most three", "text": "what stands there"},
    },
}

_INDENT = "  "


@click.command(
    cls=Command,
    examples=(
        "icc-store search 'connection pool'",
        "icc-store search timeout --deleted",
        "icc-store search --regex 'STORY-1[0-9]{2}' --json-lines",
    ),
)
@click.argument("text")
@click.option("--deleted", is_flag=True, help="Only entities that the newest snapshot does not have.")
@click.option("--regex", is_flag=True, help="TEXT is a regular expression, matched within one value or line.")
@source_option
@json_lines_option
@click.pass_obj
def command(context: Context, *, text: str, deleted: bool, regex: bool, source: str | None) -> None:
    """Find the entities that contain TEXT in any snapshot, with the first and the last one in which they do.

    Capital and small letters are alike. Values, notes and their headings are looked into, not the names of fields.
    """
    from icc_store.operations.memory.search import SearchOptions, search

    with context.open(readonly=True) as repository:
        options = SearchOptions(source, deleted, regex)
        found = search(repository, text, options=options, monitor=context.monitor)
    head = {"text": text, "searched": found.searched}
    head |= {"unread": warning_fields(found.unread), "damaged": warning_fields(found.damaged)}
    context.output.emit_rows(
        "search",
        found.hits,
        as_json=_fields,
        as_text=lambda rows: _lines(rows, found, context.output.width, quiet=context.settings.quiet),
        key="hits",
        head=head,
    )
    if found.unread or found.damaged:
        context.output.warnings([*found.damaged, *found.unread])
    if found.damaged:
        raise DamageError(f"{plural(len(found.damaged), 'path')} could not be searched", hint="run `icc-store verify`")
    if found.unread:
        raise PartialResult(f"{plural(len(found.unread), 'file')} were not looked into")


def _fields(hit: Hit) -> Document:
    return (
        {"id": hit.id, "type": hit.type}
        | path_fields(hit.path)
        | {
            "state": str(hit.state),
            "first": brief_fields(hit.first),
            "last": brief_fields(hit.last),
            "snapshots": hit.snapshots,
            "passages": [{"field": one.field, "text": one.text} for one in hit.passages],
        }
    )


def _lines(hits: Iterable[Hit], found: SearchResult, width: int | None, *, quiet: bool) -> Iterator[str]:
    room = width or PLAIN_WIDTH
    states = {"present": "", "changed": "  (no longer in it)", "deleted": "  (deleted)"}
    for hit in hits:
        state = states[hit.state]
        yield shorten(one_line(hit.id), room - len(state)) + state
        when = _moment(hit.first) if hit.first is hit.last else f"{_moment(hit.first)} to {_moment(hit.last)}"
        yield f"{_INDENT}{when}, {plural(hit.snapshots, 'snapshot')}"
        for passage in hit.passages:
            yield _INDENT + shorten(f"{one_line(passage.field)}: {one_line(passage.text)}", room - len(_INDENT))
    if not quiet:
        count = plural(len(found.hits), "entity", "entities")
        yield f"{count if found.hits else 'nothing'} found in {plural(found.searched, 'snapshot')}"


def _moment(snapshot: Snapshot) -> str:
    return f"{short_id(snapshot)} {local_time(snapshot.record.time_ns)[:16]}"
