"""The index files of an icc memory, made anew from its entities. They are derived: nothing in them is lost for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from icc_store.entities.index_documents import (
    Document,
    Indexed,
    content_index,
    date_index,
    tag_index,
    type_index,
)
from icc_store.entities.index_terms import summary_of, terms_of
from icc_store.entities.index_text import summarise
from icc_store.entities.json_text import NotJson, format_json, parse_json
from icc_store.entities.layout import INDEX_NAME, entity_id, place_of
from icc_store.entities.schema import ENTITY_FIELDS

CONTENT, TAGS, DATES = (b"indexes/%s-index.json" % name for name in (b"content", b"tag", b"date"))

_VERSION = "1.0"
_LEVELS = 5
"""How deep ids stand in an index, and a bit."""

_KEPT = ("type", "created_at", "tags", "relevance_score")
"""The fields that indexes take as they are. All others of an entity are let go at once: 100,000 have 130 MB."""


def is_derived(path: bytes) -> bool:
    """Whether `rebuild` makes the index file at a stored path."""
    return path in {CONTENT, TAGS, DATES, *map(_type_path, ENTITY_FIELDS)}


def rebuild(
    entities: Iterable[tuple[bytes, Mapping[str, Any]]], existing: Mapping[bytes, bytes], now: str
) -> dict[bytes, bytes]:
    """The bytes of every index file by stored path: the very same ones where nothing in it has to change.

    `entities` are stored paths with all fields, without any for a file that cannot be read; of two with one id the
    first counts. `existing` are the index files as they are, `now` is the time as an entity writes it. An index that
    cannot be parsed is made from nothing.
    """
    indexed = _index(entities, existing)
    head = {"version": _VERSION, "created_at": now, "last_updated": now}
    made = {
        path: _refreshed(existing.get(path), partial(make, indexed), head)
        for path, make in ((CONTENT, content_index), (TAGS, tag_index), (DATES, date_index))
    }
    present = {one.type for one in indexed.values()}
    for kind in ENTITY_FIELDS:
        path = _type_path(kind)
        if path in existing or kind in present:
            head = {"version": _VERSION, "type": kind, "last_updated": now}
            made[path] = _refreshed(existing.get(path), partial(type_index, kind, indexed), head)
    return made


def _type_path(kind: str) -> bytes:
    return b"entities/%s/%s" % (kind.encode(), INDEX_NAME)


def _index(entities: Iterable[tuple[bytes, Mapping[str, Any]]], existing: Mapping[bytes, bytes]) -> dict[str, Indexed]:
    """What indexes take of all entities, by id."""
    with_terms = _listed(CONTENT, existing)
    with_summary = frozenset().union(*(_listed(_type_path(kind), existing) for kind in ENTITY_FIELDS))
    found: dict[str, Indexed] = {}
    for path, fields in entities:
        inside = fields.get("id")
        identity = inside if isinstance(inside, str) and inside else entity_id(path)
        if identity in found:
            continue
        kept = {name: fields[name] for name in _KEPT if name in fields}
        one = Indexed(identity, place_of(path).type, path.decode("utf-8", "replace"), kept, readable=bool(fields))
        if identity not in with_terms:
            one.terms = terms_of(fields)
        if identity not in with_summary:
            one.summary = summary_of(fields)
        found[identity] = one
    return found


def _listed(path: bytes, existing: Mapping[bytes, bytes]) -> frozenset[str]:
    """The entities that an index lists, none where it cannot be read."""
    try:
        summary = summarise(path, existing[path]) if path in existing else None
    except NotJson:
        summary = None
    return (summary.ids if summary is not None else None) or frozenset()


def _refreshed(data: bytes | None, make: Callable[[Document], Document], head: Document) -> bytes:
    """An index file as it should be: as it is, if that is right. `head` is how a new one begins."""
    old: Any = None
    if data is not None:
        try:
            old = parse_json(data)
        except NotJson:
            pass  # half of an index is no index
    if data is None or not isinstance(old, dict):
        return format_json(make(head))
    new = make(old)
    return data if _says_the_same(old, new) else format_json(new | {"last_updated": head["last_updated"]})


def _says_the_same(one: Any, other: Any, levels: int = _LEVELS) -> bool:
    """Whether two indexes are equal but for the order of names in an object or of texts in a list."""
    if levels and isinstance(one, dict) and isinstance(other, dict):
        if one.keys() != other.keys():
            return False
        return all(_says_the_same(value, other[name], levels - 1) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list) and one != other:
        texts = all(isinstance(item, str) for item in (*one, *other))
        return texts and sorted(one) == sorted(other)
    return bool(one == other)
