"""What each index file of an icc memory holds, made from its entities and from what the file held before.

An index keeps its form: fields that are not known stay, rows have the fields that they had, entities stand in the
order in which they stood, new ones after them. Terms and summaries are the memory system's own wherever it has any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
Ids = dict[str, list[str]]

_TOP_TERMS = 10
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(slots=True)
class Indexed:
    """What indexes know of an entity."""

    id: str
    type: str
    path: str
    fields: Mapping[str, Any]
    """What they take of the entity's fields as it is."""
    readable: bool = True
    """One that cannot be read keeps the rows it has."""
    terms: list[str] | None = None
    """Its terms, if no index has any for it."""
    summary: str | None = None

    @property
    def created_at(self) -> str:
        """When it was made, as the entity says it; empty where that is no date."""
        created = self.fields.get("created_at")
        return created if isinstance(created, str) and _DAY.match(created) else ""

    @property
    def tags(self) -> list[str]:
        """Its tags, each once."""
        tags = self.fields.get("tags")
        return list(dict.fromkeys(tag for tag in tags if isinstance(tag, str))) if isinstance(tags, list) else []


def content_index(entities: Mapping[str, Indexed], old: Document) -> Document:
    """From terms to entities."""
    before = _object(old.get("index"))
    rows = _object(before.get("entities"))
    known = _inverse(_object(before.get("terms")))
    form = next((row for row in rows.values() if isinstance(row, dict | list)), {"type": 0, "path": 0, "terms": 0})
    terms: Ids = {}
    made: Document = {}
    for one in _in_order(entities, rows):
        had = rows.get(one.id)
        words = _strings(had.get("terms") if isinstance(had, dict) else had) or known.get(one.id) or one.terms or []
        for word in words:
            terms.setdefault(word, []).append(one.id)
        facts = {"type": one.fields.get("type", one.type), "path": one.path, "terms": words}
        made[one.id] = words if isinstance(form, list) else _row(had, facts, form)
    index = before | {
        "terms": dict(sorted(terms.items())),
        "entities": made,
        "statistics": _statistics(before, {"total_terms": len(terms), "total_entities": len(made)}),
    }
    return old | {"entity_count": len(made), "index": index}


def tag_index(entities: Mapping[str, Indexed], old: Document) -> Document:
    """From tags to entities and back."""
    before = _object(old.get("index"))
    rows = _object(before.get("entity_tags"))
    tags: Ids = {}
    entity_tags: Ids = {}
    for one in _in_order(entities, rows):
        own = one.tags if one.readable else _strings(rows.get(one.id)) or []
        if own or one.id in rows:
            entity_tags[one.id] = own
        for tag in own:
            tags.setdefault(tag, []).append(one.id)
    most_used = sorted(tags, key=lambda tag: (-len(tags[tag]), tag))[:_TOP_TERMS]
    index = before | {
        "tags": dict(sorted(tags.items())),
        "entity_tags": entity_tags,
        "statistics": _statistics(before, {"most_used": most_used}),
    }
    return old | {"tag_count": len(tags), "index": index}


def date_index(entities: Mapping[str, Indexed], old: Document) -> Document:
    """From years, months and days to entities. One without a date is in none."""
    before = _object(old.get("index"))
    days = {one: day[0] for one, day in _inverse(_object(before.get("by_day"))).items()}
    dates = {one.id: one.created_at if one.readable else days.get(one.id, "") for one in _in_order(entities, days)}
    dates = {identity: date for identity, date in dates.items() if date}
    made: Document = {}
    for name, length in (("by_year", 4), ("by_month", 7), ("by_day", 10)):
        found: Ids = {}
        for identity, date in dates.items():
            found.setdefault(date[:length], []).append(identity)
        made[name] = dict(sorted(found.items()))
    made["statistics"] = _statistics(before, {"days": len(made["by_day"]), "entities": len(dates)})
    whole = [one.created_at for one in entities.values() if one.created_at]
    ends = {"earliest": min(whole, default=None), "latest": max(whole, default=None)}
    return old | {"date_range": _object(old.get("date_range")) | ends, "index": before | made}


def type_index(kind: str, entities: Mapping[str, Indexed], old: Document) -> Document:
    """The entities of one type."""
    listed = old.get("entities")
    rows = {_id_of(row): row for row in (listed if isinstance(listed, list) else ())}
    form = next(iter(rows.values()), {"id": 0, "created_at": 0, "relevance_score": 0, "summary": 0})
    made: list[Any] = []
    for one in _in_order({identity: one for identity, one in entities.items() if one.type == kind}, rows):
        if not isinstance(form, dict):
            made.append(one.id)
            continue
        had = rows.get(one.id)
        facts: Document = {"id": one.id}
        if one.readable:
            facts |= {name: one.fields.get(name) for name in ("created_at", "relevance_score")}
        if not isinstance(had, dict):
            facts["summary"] = one.summary or ""
        made.append(_row(had, facts, form))
    return old | {"type": kind, "count": len(made), "entities": made}


def _in_order(entities: Mapping[str, Indexed], before: Iterable[str]) -> list[Indexed]:
    """First those that an index knows, as they stand in it; then new ones, the oldest first.

    One that cannot be read is only where it was.
    """
    known = dict.fromkeys(before)
    new = [one for identity, one in entities.items() if identity not in known and one.readable]
    new.sort(key=lambda one: (one.created_at, one.id))
    return [entities[identity] for identity in known if identity in entities] + new


def _row(had: Any, facts: Document, form: Mapping[str, Any]) -> Document:
    """A row with what is so now, in the form of the others."""
    if isinstance(had, dict):
        return had | {name: value for name, value in facts.items() if name in had}
    return {name: facts[name] for name in form if name in facts}


def _statistics(before: Document, facts: Document) -> Document:
    """Statistics with the right numbers; those that an index does not have it does not get."""
    had = _object(before.get("statistics"))
    return had | {name: value for name, value in facts.items() if name in had or not had}


def _inverse(lists: Document) -> Ids:
    """From ids to the keys that they are listed under."""
    found: Ids = {}
    for key, ids in lists.items():
        for identity in _strings(ids) or ():
            found.setdefault(identity, []).append(key)
    return found


def _id_of(row: Any) -> str:
    identity = row.get("id") if isinstance(row, dict) else row
    return identity if isinstance(identity, str) else ""


def _strings(value: Any) -> list[str] | None:
    """A list of texts, or None for anything else."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        return None
    return value


def _object(value: Any) -> Document:
    return value if isinstance(value, dict) else {}
