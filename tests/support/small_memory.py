"""A whole memory in a few files, for tests of what works on memories."""

from __future__ import annotations

import json

from tests.support.entities import entity


def entity_file(stem: str) -> tuple[str, bytes]:
    """The stored path and bytes of a sound entity."""
    return f"entities/Learning/2025/06/Learning-{stem}.json", json.dumps(entity(stem=stem), indent=2).encode()


MEMORY: dict[str, bytes] = {
    **dict(entity_file(f"fact{number}-20250603") for number in range(3)),
    "config/settings.json": b'{"version": "2.0"}\n',
    "relationships/knowledge-links.json": b'{"relationships": {}}\n',
    "notes\nof two lines.md": b"# odd name\n",
}
"""Stored paths and contents."""
