"""Index files, read without building all of what is in them: those of 100,000 entities take 150 MB as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from icc_store.entities.json_text import JsonText, Members, NotJson, ids_in_rows, parse_json, parse_members
from icc_store.entities.layout import place_of
from icc_store.quick_dataclass import dataclass

_LEVELS = 2
_OBJECT, _LIST = b"{["


def outline(data: bytes) -> Any:
    """The value in an index file, with nothing in the objects and lists that are deeper than an index's own fields.

    Raises NotJson, also for what is wrong in those.
    """
    if not data.isascii():
        try:
            data.decode()  # the only thing that is not looked at where values are passed over
        except UnicodeDecodeError as reason:
            raise NotJson(str(reason)) from None
    return _outline(data, _LEVELS) if data.lstrip()[:1] == b"{" else parse_json(data)


def _outline(text: JsonText, levels: int) -> Any:
    first = memoryview(text)[0]
    if first == _OBJECT or isinstance(text, bytes):
        return {name: _outline(value, levels - 1) for name, value in parse_members(text).items()} if levels else {}
    if first == _LIST:
        return []
    return parse_json(text)


@dataclass(frozen=True)
class IndexSummary:
    """What an index says of the memory as a whole."""

    type: str
    """The type of entities that it is of; empty for all."""
    ids_field: str
    ids: frozenset[str] | None
    """The entities it lists; None where they stand in a form that is not known."""
    complete: bool
    """Whether an entity that it does not list is missing; one without tags is none of those with tags."""
    count_field: str = ""
    """The field that says how many there are, where it has one."""
    count: int | None = None
    counted: int | None = None
    """How many of it the index lists, where the field does not count entities."""
    by_date: bool = False
    """Whether an entity without a time of its own cannot be in it."""


def summarise(path: bytes, data: bytes) -> IndexSummary | None:
    """What the index at a stored path says; None for one that is not known. Raises NotJson."""
    if path.startswith(b"entities/"):
        kind = place_of(path).type
        return _of_a_type(kind, parse_members(data)) if kind else None
    make = _SUMMARIES.get(path)
    if make is None:
        return None
    top = parse_members(data)
    return make(top, _object(top.get("index")))


def _of_a_type(kind: str, top: Members) -> IndexSummary:
    rows = ids_in_rows(top["entities"]) if "entities" in top else None
    ids = None if rows is None else _texts(rows)
    count = _whole_number(top.get("count"))
    return IndexSummary(kind, "entities", ids, True, "count", count)


def _of_content(top: Members, index: Members) -> IndexSummary:
    ids = frozenset(_object(index["entities"])) if "entities" in index else None
    count = _whole_number(top.get("entity_count"))
    return IndexSummary("", "index.entities", ids, True, "entity_count", count)


def _of_tags(top: Members, index: Members) -> IndexSummary:
    ids = frozenset(_object(index["entity_tags"])) if "entity_tags" in index else None
    tags = len(_object(index["tags"])) if "tags" in index else None
    return IndexSummary("", "index.entity_tags", ids, False, "tag_count", _whole_number(top.get("tag_count")), tags)


def _of_dates(_top: Members, index: Members) -> IndexSummary:
    days = _value(index.get("by_day"))
    ids = None
    if isinstance(days, dict) and all(isinstance(of_day, list) for of_day in days.values()):
        rows = chain.from_iterable(days.values())
        ids = _texts(row.get("id") if isinstance(row, dict) else row for row in rows)
    return IndexSummary("", "index.by_day", ids, True, by_date=True)


_SUMMARIES: dict[bytes, Callable[[Members, Members], IndexSummary]] = {
    b"indexes/content-index.json": _of_content,
    b"indexes/tag-index.json": _of_tags,
    b"indexes/date-index.json": _of_dates,
}


def _texts(ids: Iterable[Any]) -> frozenset[str]:
    """Those of the ids that are some."""
    return frozenset(one for one in ids if isinstance(one, str))


def _object(text: JsonText | None) -> Members:
    return parse_members(text) if text is not None and memoryview(text)[0] == _OBJECT else {}


def _value(text: JsonText | None) -> Any:
    return None if text is None else parse_json(text)


def _whole_number(text: JsonText | None) -> int | None:
    value = _value(text) if text is not None and memoryview(text)[0] not in b"{[" else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
