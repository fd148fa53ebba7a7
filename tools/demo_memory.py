"""A small memory for the demonstration: three entities as an agent writes them, and the changes of a day.

python tools/demo_memory.py DIRECTORY         make it
python tools/demo_memory.py DIRECTORY --day   change it as a day of use does
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

Fields = dict[str, Any]

LEARNING: Fields = {
    "id": "Learning-stale_cache-20261102",
    "type": "Learning",
    "created_at": "2026-11-02T09:14:00Z",
    "context": {"task_id": "STORY-041", "role": "backend-engineer", "error_type": "stale_cache"},
    "observations": ["The price list was served from the cache after an import."],
    "patterns": ["Pattern-cache-success-20261020"],
    "prevention": ["Clear the cache in the transaction that writes."],
    "application_count": 3,
    "relevance_score": 0.41,
    "tags": ["cache", "imports"],
}
PATTERN: Fields = {
    "id": "Pattern-cache-success-20261020",
    "type": "Pattern",
    "created_at": "2026-10-20T16:40:00Z",
    "pattern_type": "success",
    "context": {"domain": "cache", "application": "invalidation"},
    "pattern_description": "Write and invalidate in one step.",
    "implementation": ["Wrap both in a transaction."],
    "conditions": ["The cache has one owner."],
    "outcomes": ["No reader sees an old value."],
    "reuse_count": 2,
    "success_rate": 1.0,
    "relevance_score": 0.8,
    "tags": ["cache"],
}
PROJECT: Fields = {
    "id": "Project-shop-20261001",
    "type": "Project",
    "created_at": "2026-10-01T08:00:00Z",
    "project_name": "shop",
    "context": {
        "system_type": "service",
        "architecture": "layered",
        "primary_languages": ["Python"],
        "key_concepts": ["orders", "prices"],
    },
    "observations": ["Prices are imported every night."],
    "current_state": {"active_epic": "EPIC-7", "active_bugs": [], "workflow_phase": "build"},
    "learnings": ["Learning-stale_cache-20261102"],
    "relevance_score": 0.9,
    "tags": ["shop"],
}
NEW: Fields = PATTERN | {
    "id": "Pattern-imports-error-20261123",
    "created_at": "2026-11-23T10:02:00Z",
    "pattern_type": "error",
    "context": {"domain": "imports", "application": "nightly"},
    "pattern_description": "An import that commits row by row.",
    "reuse_count": 0,
    "success_rate": 0.0,
}
SETTINGS: Fields = {"version": "1.2", "backup_retention_days": 90, "max_entities_per_type": 50000}

_FOLDERS = {"Learning": "Learning/2026/11", "Pattern": "Pattern", "Project": "Project/current"}


def write(path: Path, value: Fields) -> None:
    """Write a file as memory systems do."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def entity(top: Path, fields: Fields) -> Path:
    """Where an entity stands."""
    folder = _FOLDERS[fields["type"]] + (f"/{fields['pattern_type']}" if fields["type"] == "Pattern" else "")
    return top / "entities" / folder / f"{fields['id']}.json"


def make(top: Path) -> None:
    """The memory on its first day."""
    for fields in (LEARNING, PATTERN, PROJECT):
        write(entity(top, fields), fields)
    write(top / "config" / "settings.json", SETTINGS)


def a_day(top: Path) -> None:
    """One entity is used and learns, one is new, one is cut off while it is written."""
    used = LEARNING | {
        "application_count": 4,
        "relevance_score": 0.7,
        "tags": ["cache", "imports", "prices"],
        "observations": [
            *LEARNING["observations"],
            "Two workers may import at once.",
            "The cache has a second owner since the redesign.",
        ],
    }
    write(entity(top, used), used)
    write(entity(top, NEW), NEW)
    broken = entity(top, PROJECT)
    broken.write_text(broken.read_text(encoding="utf-8")[:300], encoding="utf-8")


if __name__ == "__main__":
    (a_day if "--day" in sys.argv else make)(Path(sys.argv[1]))
