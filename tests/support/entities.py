"""Entities of an icc memory: sound ones for tests that break them, and brief ones for tests that compare them."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

Fields = dict[str, Any]

_FOLDERS = {"Pattern": "success", "Project": "current", "Knowledge": "by-domain"}

_COMMON: Fields = {
    "created_at": "2025-06-03T08:00:00Z",
    "tags": ["cache", "timeout"],
    "relevance_score": 0.5,
}

_SPECIFIC: dict[str, Fields] = {
    "Learning": {
        "context": {"task_id": "STORY-001", "role": "developer", "error_type": "stale_cache"},
        "observations": ["the cache was stale"],
        "patterns": [],
        "prevention": ["clear it"],
        "application_count": 3,
    },
    "Pattern": {
        "pattern_type": "success",
        "context": {"domain": "cache", "application": "web"},
        "pattern_description": "clear before use",
        "implementation": ["call clear()"],
        "conditions": ["a cache"],
        "outcomes": ["fresh values"],
        "reuse_count": 2,
        "success_rate": 0.75,
    },
    "Project": {
        "project_name": "shop",
        "context": {
            "system_type": "service",
            "architecture": "layered",
            "primary_languages": ["Python"],
            "key_concepts": ["orders"],
        },
        "observations": ["it is slow"],
        "current_state": {"active_epic": None, "active_bugs": [], "workflow_phase": "build"},
        "learnings": [],
    },
    "Knowledge": {},
}


def entity(kind: str = "Learning", stem: str = "one-20250603", **changes: Any) -> Fields:
    """The fields of a sound entity, with changes."""
    fields = {"id": f"{kind}-{stem}", "type": kind} | deepcopy(_COMMON) | deepcopy(_SPECIFIC[kind])
    return fields | changes


def without(fields: Fields, name: str) -> Fields:
    """The same without a field, `context.role` being one inside another."""
    fields = deepcopy(fields)
    *above, last = name.split(".")
    inside = fields
    for one in above:
        inside = inside[one]
    del inside[last]
    return fields


def place(fields: Fields) -> bytes:
    """Where an entity that `entity` made stands."""
    folder = _FOLDERS.get(fields["type"]) or fields["created_at"][:7].replace("-", "/")
    return f"entities/{fields['type']}/{folder}/{fields['id']}.json".encode()


def text(value: Any) -> bytes:
    """A value as a memory writes it."""
    return json.dumps(value, indent=2).encode() + b"\n"


def entity_file(stem: str) -> tuple[str, bytes]:
    """Where a sound entity stands, and its file."""
    return f"entities/Learning/2025/06/Learning-{stem}.json", text(entity(stem=stem))


def brief(identity: str, **fields: Any) -> bytes:
    """The file of an entity that says nothing but its id, its type and what is given."""
    kind = identity.partition("-")[0]
    return text({"id": identity, "type": kind} | fields)


def brief_path(identity: str, folder: str = "2025/06") -> str:
    """Where it stands."""
    return f"entities/{identity.partition('-')[0]}/{folder}/{identity}.json"
