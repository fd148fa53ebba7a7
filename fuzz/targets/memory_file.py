"""Files of an agent's memory: validation has findings and never an exception, and indexes are rebuilt from anything."""

from __future__ import annotations

import json
from typing import Any

from fuzz.structure import JSON, behind
from icc_store.entities.cross_check import CrossCheck
from icc_store.entities.indexes import is_derived, rebuild
from icc_store.entities.json_text import NotJson, parse_json
from icc_store.entities.validate import check_file, facts_from_wire, facts_to_wire

ALLOWED: tuple[type[BaseException], ...] = ()
FORMS = (behind(1, JSON),)

_PATHS = (
    b"entities/Learning/2025/06/Learning-a-20250603.json",
    b"entities/Project/current/Project-a-20250603.json",
    b"entities/Learning/index.json",
    b"indexes/content-index.json",
    b"indexes/tag-index.json",
    b"indexes/date-index.json",
    b"relationships/learning-to-pattern.json",
    b"config/settings.json",
)
_NOW = "2025-07-01T00:00:00Z"


def fuzz_one(data: bytes) -> None:
    """The first byte says which file of a memory the others are."""
    path, data = _PATHS[data[0] % len(_PATHS) if data else 0], data[1:]
    facts = check_file(path, data)
    if facts_from_wire(path, facts_to_wire(facts)) != facts:
        raise AssertionError("facts changed when they were kept")
    cross = CrossCheck()
    for each in _PATHS:
        cross.add(each, facts if each == path else check_file(each, b"{}"))
    cross.findings(lambda each: data if each == path else b"{}")
    try:
        value = parse_json(data)
    except NotJson:
        value = None
    entity = value if isinstance(value, dict) else {}
    made = rebuild([(_PATHS[0], entity)], {path: data} if is_derived(path) else {}, _NOW)
    for each, text in made.items():
        if any(not one.field for one in check_file(each, text).findings):
            raise AssertionError(f"the rebuilt {each!r} cannot be read")


def _seed(number: int, value: Any) -> bytes:
    return bytes((number,)) + json.dumps(value).encode()


_ID = "Learning-a-20250603"
_HEAD = {"version": "1.0", "created_at": _NOW, "last_updated": _NOW}
_ENTITY = {
    "id": _ID,
    "type": "Learning",
    "created_at": "2025-06-03T08:00:00Z",
    "context": {"task_id": "a", "role": "b", "error_type": "c"},
    "observations": ["one", "two"],
    "patterns": [],
    "prevention": ["three"],
    "application_count": 3,
    "tags": ["cache"],
    "relevance_score": 0.5,
}

SEEDS = [
    _seed(0, _ENTITY),
    _seed(1, _ENTITY | {"id": "Project-a-20250603", "type": "Project", "learnings": [_ID]}),
    _seed(2, _HEAD | {"type": "Learning", "count": 1, "entities": [{"id": _ID, "summary": "one"}]}),
    _seed(
        3,
        _HEAD
        | {
            "entity_count": 1,
            "index": {
                "terms": {"cache": [_ID]},
                "entities": {_ID: {"type": "Learning", "path": "x", "terms": ["cache"]}},
                "statistics": {"total_terms": 1, "total_entities": 1},
            },
        },
    ),
    _seed(4, _HEAD | {"tag_count": 1, "index": {"tags": {"cache": [_ID]}, "entity_tags": {_ID: ["cache"]}}}),
    _seed(5, _HEAD | {"date_range": {}, "index": {"by_year": {"2025": [_ID]}, "by_day": {"2025-06-03": [_ID]}}}),
    _seed(6, _HEAD | {"relationship_type": "learning-to-pattern", "relationships": {_ID: ["Pattern-b"]}}),
    _seed(7, {"version": "1.0"}),
]
