"""The index files of a live memory as its entities say they should be. Nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icc_store.clock import utc_text
from icc_store.entities.indexes import is_derived, rebuild
from icc_store.entities.json_text import NotJson, parse_json
from icc_store.limits import MAX_INDEX_FILE, MAX_RECORD_FILE
from icc_store.operations.memory.live import entity_files, memory_files, read_live


@dataclass(frozen=True)
class RebuiltIndexes:
    """Index files by stored path."""

    existing: dict[bytes, bytes]
    """What those hold that are there."""
    contents: dict[bytes, bytes]
    """What those must hold that are missing or not right; they are the only ones to be written."""


def rebuilt_indexes(root: Path, *, now_ns: int) -> RebuiltIndexes:
    """Compare the index files of the memory in a directory with its entities.

    An entity that cannot be read keeps the rows it has. Raises OSError for a directory or an index file that cannot be.
    """
    existing = {path: read_live(root, path, MAX_INDEX_FILE) for path in memory_files(root) if is_derived(path)}
    made = rebuild(_entities(root), existing, utc_text(now_ns))
    return RebuiltIndexes(existing, {path: data for path, data in made.items() if existing.get(path) != data})


def _entities(root: Path) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """All entities in order of paths; without fields where a file cannot be read or holds no entity."""
    for path in sorted(entity_files(root)):
        try:
            value = parse_json(read_live(root, path, MAX_RECORD_FILE))
        except (OSError, NotJson):
            value = None
        yield path, value if isinstance(value, dict) else {}
