"""What changed in a record, as text and as JSON, for every command that tells of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from icc_store.cli.output import Document
from icc_store.cli.text_width import PLAIN_WIDTH, display_width, shorten
from icc_store.cli.units import plural
from icc_store.entities.changes import FieldChange, FieldChangeKind
from icc_store.entities.json_text import compact_json
from icc_store.entities.record import Lines

_LONG_NAME = 24
_NAMED = 4
"""Items are named when there are no more, and all are short; else they are counted."""


def change_fields(change: FieldChange) -> Document:
    """The fields of `entity_fields.FIELD` that say something about this change."""
    fields: Document = {"field": change.field, "change": str(change.kind)}
    if change.kind in (FieldChangeKind.REMOVED, FieldChangeKind.CHANGED):
        fields["before"] = change.before
    if change.kind in (FieldChangeKind.ADDED, FieldChangeKind.CHANGED):
        fields["after"] = change.after
    if change.kind in (FieldChangeKind.ITEMS, FieldChangeKind.LINES):
        fields |= {"added": list(change.added), "removed": list(change.removed)}
    return fields


def change_lines(changes: Iterable[FieldChange], width: int | None, indent: str) -> Iterator[str]:
    """A line for each change, not wider than it may be."""
    room = (width or PLAIN_WIDTH) - len(indent)
    for change in changes:
        yield indent + shorten(_line(change, room), room)


def _line(change: FieldChange, room: int) -> str:
    field, kind = one_line(change.field), change.kind
    if kind is FieldChangeKind.ADDED:
        return f"+{field} {_value(change.after)}"
    if kind is FieldChangeKind.REMOVED:
        return f"-{field} {_value(change.before)}"
    if kind is FieldChangeKind.REORDERED:
        return f"{field} reordered"
    if kind is FieldChangeKind.CHANGED:
        before, after = _value(change.before), _value(change.after)
        both = max(_LONG_NAME, room - display_width(field) - len("  -> "))
        before = shorten(before, max(both // 2, both - display_width(after)))
        return f"{field} {before} -> {shorten(after, both - display_width(before))}"
    counts = [f"{sign}{len(items)}" for sign, items in (("+", change.added), ("-", change.removed)) if items]
    if kind is FieldChangeKind.LINES:
        return f"{field}: {' '.join(counts)} lines"
    named = [f"{sign}{one_line(item)}" for sign, item in _signed(change) if _is_short(item)]
    if len(named) == len(change.added) + len(change.removed) <= _NAMED:
        return f"{field} {' '.join(named)}"
    return f"{field} {' '.join(counts)}"


def _signed(change: FieldChange) -> Iterator[tuple[str, Any]]:
    yield from (("+", item) for item in change.added)
    yield from (("-", item) for item in change.removed)


def _is_short(item: Any) -> bool:
    """Whether an item can be named in a list of several: a word, not a sentence."""
    return isinstance(item, str) and 0 < len(item) <= _LONG_NAME and item.isprintable() and " " not in item


def _value(value: Any) -> str:
    if isinstance(value, Lines):
        return plural(len(value), "line")
    if isinstance(value, list) and not (value and all(_is_short(item) for item in value)):
        return plural(len(value), "item")
    if isinstance(value, list):
        return ", ".join(value)
    return value_text(value)


def value_text(value: Any) -> str:
    """A value in one line: text as it is, anything else as JSON."""
    if isinstance(value, str):
        return one_line(value) if value.strip() else compact_json(value)
    return compact_json(value)


def one_line(text: str) -> str:
    """A text without line breaks and tabs."""
    return text.replace("\n", "\\n").replace("\t", "\\t")
