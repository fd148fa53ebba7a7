"""A changed field and a changed entity in JSON, wherever one stands.

Apart from what prints them: that takes long to import, and every `diff` would.
"""

from __future__ import annotations

FIELD = {
    "field": "its name by dotted path: context.domain; `section Setup` of a note, `text` before its first heading",
    "change": "added, removed, changed, items (of a list), lines (of a text) or reordered",
    "before": "the value before, of a field that was removed or changed",
    "after": "the value after, of a field that was added or changed",
    "added": "items or lines that came",
    "removed": "items or lines that went",
}
"""The fields of a change in JSON."""

ENTITY = {
    "id": "the entity's id; of a note its path",
    "type": "its type, empty where none is known",
    "change": "added, removed, changed or moved",
    "path": "where it is, or where it was when it is gone",
    "moved_from": "where it was before it moved, or null",
    "fields": FIELD,
    "problem": "why its fields cannot be told, else empty",
}
"""The fields of a changed entity in JSON."""
