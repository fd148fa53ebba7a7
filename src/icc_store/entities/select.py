"""Which entities of a memory a selective snapshot holds.

A selection is about entities, and about records of Markdown files by their front matter. Everything else is stored as
it is: relationships and indexes too, so they name entities that are not there. With `config_only` no entity is stored,
nor what else lies about: only `config/`, `relationships/` and the index files, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import cached_property
from typing import Any

from icc_store.entities.moments import moment
from icc_store.entities.record import Record
from icc_store.entities.where import Comparison, Expression, Field, Listed, Literal, Or
from icc_store.entities.where_parser import parse
from icc_store.errors import UsageError

HIGH_RELEVANCE = 0.7
"""`--high-relevance-only` takes what scores above this."""


class SelectionKind(StrEnum):
    """The three sorts of selective snapshots."""

    CONFIG_ONLY = "config-only"
    HIGH_RELEVANCE = "high-relevance"
    GENERAL = "general"


@dataclass(frozen=True)
class Selection:
    """What was asked for; an entity must meet all of it. Texts are as given, dates as `moment` reads them."""

    config_only: bool = False
    high_relevance_only: bool = False
    min_relevance: float | None = None
    types: tuple[str, ...] = ()
    """Any of these."""
    tags: tuple[str, ...] = ()
    """At least one of these."""
    created_after: str = ""
    """Created then or later; a date alone is the start of that day."""
    created_before: str = ""
    """Created earlier."""
    exclude_archived_before: str = ""
    """Leaves out what is archived, and was so before: by `archived_at`, or else `updated_at`, or else `created_at`."""
    where: str = ""
    """An expression (where.py)."""

    def __post_init__(self) -> None:
        """Raises UsageError for what cannot be meant."""
        for name in ("created_after", "created_before", "exclude_archived_before"):
            given = getattr(self, name)
            if given and moment(given) is None:
                option = "--" + name.replace("_", "-")
                raise UsageError(f"{option}: {given!r} is no date", hint="write 2025-06-01 or 2025-06-01T12:00:00Z")
        if self.min_relevance is not None and not 0 <= self.min_relevance <= 1:
            raise UsageError(f"--min-relevance: {self.min_relevance} is not a score from 0 to 1")
        if self.config_only and len(self.to_record()) > 1:
            raise UsageError("--config-only stores no entities, so there are none to choose from")
        _ = self._expressions

    @property
    def kind(self) -> SelectionKind:
        """Which sort of selective snapshot it makes."""
        if self.config_only:
            return SelectionKind.CONFIG_ONLY
        if self.to_record().keys() == {"high_relevance_only"}:
            return SelectionKind.HIGH_RELEVANCE
        return SelectionKind.GENERAL

    @property
    def is_everything(self) -> bool:
        """Whether nothing was asked for, so that nothing would be left out."""
        return not self.to_record()

    @cached_property
    def _expressions(self) -> tuple[Expression, ...]:
        """All that was asked for, but for what is said of archived entities."""
        found: list[Expression] = []
        if self.high_relevance_only:
            found.append(Comparison(_field("relevance_score"), ">", Literal(HIGH_RELEVANCE)))
        if self.min_relevance is not None:
            found.append(Comparison(_field("relevance_score"), ">=", Literal(self.min_relevance)))
        if self.types:
            found.append(Comparison(_field("type"), "in", Listed(tuple(map(Literal, self.types)))))
        if self.tags:
            tagged = tuple(Comparison(Literal(tag), "in", _field("tags")) for tag in self.tags)
            found.append(tagged[0] if len(tagged) == 1 else Or(tagged))
        if self.created_after:
            found.append(Comparison(_field("created_at"), ">=", Literal(self.created_after)))
        if self.created_before:
            found.append(Comparison(_field("created_at"), "<", Literal(self.created_before)))
        if self.where:
            found.append(parse(self.where))
        return tuple(found)

    def matches(self, record: Record, archived: bool) -> bool:
        """Whether the selection takes a record. `archived`: it lies under an `archive` folder."""
        if self.config_only:
            return False
        archived = archived or record.fields.get("archived") is True
        if archived and self.exclude_archived_before and self._is_long_archived(record.fields):
            return False
        known = record.fields | {"id": record.id, "type": record.type, "archived": archived}
        return all(expression.holds(known) for expression in self._expressions)

    def _is_long_archived(self, known: Mapping[str, Any]) -> bool:
        """By the first of its times that is one; what has none cannot be judged, and is not."""
        bound = moment(self.exclude_archived_before)
        times = (moment(known.get(name)) for name in ("archived_at", "updated_at", "created_at"))
        since = next((time for time in times if time is not None), None)
        return since is not None and bound is not None and since < bound

    def describe(self) -> str:
        """One line for people, in the words of where.py."""
        if self.config_only:
            return "configuration, relationships and indexes only"
        several = len(self._expressions) + bool(self.exclude_archived_before) > 1
        said = [f"({one})" if several and isinstance(one, Or) else str(one) for one in self._expressions]
        if self.exclude_archived_before:
            said.append(f"not archived before {self.exclude_archived_before}")
        return " and ".join(said) or "everything"

    def to_record(self) -> dict[str, Any]:
        """What was asked for as plain values; what was not is not in it."""
        return {
            field.name: list(given) if isinstance(given, tuple) else given
            for field in fields(self)
            if (given := getattr(self, field.name)) != field.default
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Selection:
        """The selection that `to_record` gave. Raises ValueError for what is none, such as a newer program's."""
        for name, value in record.items():
            if name not in _WIRE_TYPES or not isinstance(value, _WIRE_TYPES[name]):
                raise ValueError(f"{name!r} is no part of a selection that this program knows")
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
        }
        try:
            return cls(**given)
        except (UsageError, TypeError) as error:
            raise ValueError(str(error)) from error


_WIRE_TYPES: dict[str, type | tuple[type, ...]] = {
    "config_only": bool,
    "high_relevance_only": bool,
    "min_relevance": (int, float),
    "types": list,
    "tags": list,
    "created_after": str,
    "created_before": str,
    "exclude_archived_before": str,
    "where": str,
}


def _field(name: str) -> Field:
    return Field((name,))
