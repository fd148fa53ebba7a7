"""What changed from one version of a record to the next, field by field.

Fields are named by dotted path. A scalar changes from one value to another. A list, and the lines of a section, gain
and lose items: what stands on both sides counts for nothing, wherever it stands, but when nothing else changed the
order is told of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from icc_store.entities.record import Lines, Record


class FieldChangeKind(StrEnum):
    """How a field changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    ITEMS = "items"
    """A list on both sides that gained or lost items."""
    LINES = "lines"
    """Text on both sides that gained or lost lines."""
    REORDERED = "reordered"
    """The same items or lines in another order."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that differs."""

    field: str
    """Its dotted path: `context.domain`, `section Setup`."""
    kind: FieldChangeKind
    before: Any = None
    """The value before, of a field that was removed or changed."""
    after: Any = None
    """The value after, of a field that was added or changed."""
    added: tuple[Any, ...] = ()
    """Items or lines that came, in order."""
    removed: tuple[Any, ...] = ()
    """Items or lines that went, in order."""


def compare(old: Record | None, new: Record | None) -> list[FieldChange]:
    """The fields that differ: in the order of the new record, then those that only the old one has.

    None stands for a record without any field. Equal records differ in nothing, however they were written.
    """
    before = {} if old is None else old.flat()
    after = {} if new is None else new.flat()
    changes = []
    for field, value in after.items():
        if field not in before:
            changes.append(FieldChange(field, FieldChangeKind.ADDED, after=value))
        else:
            change = _change(field, before[field], value)
            if change is not None:
                changes.append(change)
    gone = [field for field in before if field not in after]
    return changes + [FieldChange(field, FieldChangeKind.REMOVED, before=before[field]) for field in gone]


def _change(field: str, old: Any, new: Any) -> FieldChange | None:
    if isinstance(old, list) and isinstance(new, list):
        return _list_change(field, old, new)
    if identity(old) == identity(new):
        return None
    return FieldChange(field, FieldChangeKind.CHANGED, old, new)


def _list_change(field: str, old: list[Any], new: list[Any]) -> FieldChange | None:
    before, after = [identity(item) for item in old], [identity(item) for item in new]
    if before == after:
        return None
    added, removed = _beyond(new, after, before), _beyond(old, before, after)
    if not added and not removed:
        return FieldChange(field, FieldChangeKind.REORDERED)
    kind = FieldChangeKind.LINES if isinstance(new, Lines) else FieldChangeKind.ITEMS
    return FieldChange(field, kind, added=added, removed=removed)


def _beyond(items: Sequence[Any], identities: Sequence[Any], others: Sequence[Any]) -> tuple[Any, ...]:
    """The items that the other side does not have, or not as often."""
    left = Counter(others)
    found = []
    for item, key in zip(items, identities, strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            found.append(item)
    return tuple(found)


def identity(value: Any) -> Any:
    """Something hashable that is equal for equal values, and only for those: Python takes 1, 1.0 and True for one."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "map", frozenset((name, identity(one)) for name, one in value.items())
    if isinstance(value, list):
        return "list", tuple(identity(one) for one in value)
    return type(value).__name__, value
