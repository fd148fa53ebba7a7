"""`icc-store diff --entities`: what changed in a memory, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from icc_store.cli.context import Context
from icc_store.cli.field_changes import change_fields, change_lines, one_line
from icc_store.cli.output import Document, path_fields
from icc_store.cli.table import Column, table
from icc_store.cli.text_width import PLAIN_WIDTH, shorten, shorten_start
from icc_store.cli.units import number, plural
from icc_store.errors import DamageError, PartialResult
from icc_store.model.paths import display
from icc_store.operations.memory.entity_diff import EntityChange, EntityChangeKind, EntityDiff

_SIGNS = {
    EntityChangeKind.ADDED: "+",
    EntityChangeKind.REMOVED: "-",
    EntityChangeKind.CHANGED: "M",
    EntityChangeKind.MOVED: ">",
}
_COLUMNS = (
    Column("TYPE", flexible=True),
    Column("ADDED", right=True),
    Column("REMOVED", right=True),
    Column("CHANGED", right=True),
    Column("MOVED", right=True),
)
_INDENT = "    "


def print_entities(context: Context, found: EntityDiff, head: Document, *, stat: bool) -> None:
    """Print what changed, or with `stat` only the counts. Raises PartialResult or DamageError for what was not read."""
    width = context.output.width
    head = head | {"types": counts_fields(found)}
    if stat:
        context.output.emit("diff", head, lambda: _counts_lines(found, width))
    else:
        context.output.emit_rows(
            "diff",
            found.changes,
            as_json=entity_fields,
            as_text=lambda rows: _lines(rows, found, width, quiet=context.settings.quiet),
            key="entities",
            head=head,
        )
    unread = [change for change in found.changes if change.problem]
    if any(change.damaged for change in unread):
        raise DamageError(
            f"{plural(len(unread), 'entity', 'entities')} could not be read", hint="run `icc-store verify`"
        )
    if any(change.problem.startswith("cannot be read") for change in unread):
        raise PartialResult(f"{plural(len(unread), 'entity', 'entities')} could not be read")


def entity_fields(change: EntityChange) -> Document:
    """The fields of `entity_fields.ENTITY`."""
    fields: Document = {"id": change.id, "type": change.type, "change": str(change.kind)}
    fields |= path_fields(change.path)
    fields |= {"moved_from": None} if change.moved_from is None else path_fields(change.moved_from, "moved_from")
    return fields | {"fields": [change_fields(one) for one in change.fields], "problem": change.problem}


def counts_fields(found: EntityDiff) -> Document:
    """How many of each change, by type."""
    return {kind: {str(one): counts[one] for one in EntityChangeKind} for kind, counts in found.counts().items()}


def _lines(changes: Iterable[EntityChange], found: EntityDiff, width: int | None, *, quiet: bool) -> Iterator[str]:
    room = width or PLAIN_WIDTH
    for change in changes:
        kind = f"  ({change.type})" if change.type and not change.id.startswith(change.type) else ""
        yield shorten(f"{_SIGNS[change.kind]} {one_line(change.id)}{one_line(kind)}", room)
        if change.moved_from is not None:
            for word, path in (("from ", change.moved_from), ("to   ", change.path)):
                yield f"{_INDENT}{word}{shorten_start(display(path), room - len(_INDENT) - len(word))}"
        if change.problem:
            yield _INDENT + shorten(one_line(change.problem), room - len(_INDENT))
        elif change.kind is EntityChangeKind.CHANGED and not change.fields:
            yield f"{_INDENT}only written in another form"
        yield from change_lines(change.fields, width, _INDENT)
    if not quiet:
        if found.changes:
            yield ""
        yield from _counts_lines(found, width)


def _counts_lines(found: EntityDiff, width: int | None) -> Iterator[str]:
    if not found.changes:
        yield "no entities differ"
        return
    rows = [
        [one_line(kind) or "(unknown)", *(number(counts[one]) if counts[one] else "" for one in EntityChangeKind)]
        for kind, counts in found.counts().items()
    ]
    yield from table(_COLUMNS, rows, width)
