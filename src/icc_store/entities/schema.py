"""The fields that files of an icc memory have: one table, from which both passes of validation are made.

What breaks a rule of the memory system is an error; what is merely unusual, such as a text where an object is usual,
is a warning. A field that is null counts as not there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from icc_store.entities.findings import Severity
from icc_store.entities.json_text import COUNTER, FRACTION, TIME, make_fit

PATTERN_TYPES = ("success", "error", "process")


class Need(Enum):
    """What it means when a field is not there."""

    REQUIRED = "an error"
    EXPECTED = "a warning"
    USUAL = "nothing"


@dataclass(frozen=True)
class Shape:
    """What a field's value is."""

    type: Any
    """As entities/json_text.py takes it."""
    expected: str
    """The same in words."""
    severity: Severity = Severity.WARNING
    """How bad another value is."""
    nullable: bool = False
    fits: Callable[[Any], bool] = field(init=False, compare=False)
    """Whether a parsed value has this shape."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "fits", make_fit(self.type))


TEXT = Shape(str, "a text")
TEXT_OR_NULL = Shape(str | None, "a text or null", nullable=True)
CHOICE = Shape(Literal[PATTERN_TYPES], "one of " + ", ".join(PATTERN_TYPES))
MOMENT = Shape(TIME, "a time such as 2025-06-01T12:00:00Z")
SCORE = Shape(FRACTION, "a number from 0 to 1", Severity.ERROR)
COUNT = Shape(COUNTER, "a whole number, 0 or more", Severity.ERROR)
TEXTS = Shape(list[str], "a list of texts", Severity.ERROR)
OBJECT = Shape(dict, "an object")
FLAG = Shape(bool, "true or false")
ANY = Shape(Any, "any value", nullable=True)


@dataclass(frozen=True)
class Field:
    """One field of an object, with the fields in it where it is one itself; there may be others beside those."""

    name: str
    shape: Shape
    need: Need = Need.USUAL
    fields: tuple[Field, ...] = ()

    @property
    def severity(self) -> Severity:
        """How bad a value of another shape is."""
        return Severity.ERROR if self.need is Need.REQUIRED else self.shape.severity


def _expected(name: str, shape: Shape, *fields: Field) -> Field:
    return Field(name, shape, Need.EXPECTED, fields)


_COMMON = (
    Field("id", TEXT, Need.REQUIRED),
    Field("type", TEXT, Need.REQUIRED),
    Field("created_at", MOMENT, Need.REQUIRED),
    Field("updated_at", MOMENT),
    Field("last_updated", MOMENT),
    Field("last_accessed", MOMENT),
    Field("access_count", COUNT),
    Field("archived", FLAG),
    Field("archived_at", MOMENT),
    Field("context", OBJECT),
    Field("tags", TEXTS),
    Field("relevance_score", SCORE),
    Field("summary", TEXT),
    Field("observations", TEXTS),  # a merge gives those of one entity to another, of whatever type
)

_SPECIFIC = {
    "Learning": (
        _expected(
            "context", OBJECT, _expected("task_id", TEXT), _expected("role", TEXT), _expected("error_type", TEXT)
        ),
        _expected("observations", TEXTS),
        _expected("patterns", TEXTS),
        _expected("prevention", TEXTS),
        _expected("application_count", COUNT),
    ),
    "Pattern": (
        _expected("pattern_type", CHOICE),
        _expected("context", OBJECT, _expected("domain", TEXT), _expected("application", TEXT)),
        _expected("pattern_description", TEXT),
        _expected("implementation", TEXTS),
        _expected("conditions", TEXTS),
        _expected("outcomes", TEXTS),
        _expected("reuse_count", COUNT),
        _expected("success_rate", SCORE),
    ),
    "Project": (
        _expected("project_name", TEXT),
        _expected(
            "context",
            OBJECT,
            _expected("system_type", TEXT),
            _expected("architecture", TEXT),
            _expected("primary_languages", TEXTS),
            _expected("key_concepts", TEXTS),
        ),
        _expected("observations", TEXTS),
        _expected(
            "current_state",
            OBJECT,
            _expected("active_epic", TEXT_OR_NULL),  # there may be none
            _expected("active_bugs", TEXTS),
            _expected("workflow_phase", TEXT_OR_NULL),
        ),
        _expected("learnings", TEXTS),
    ),
    "Knowledge": (),
}


def _fields(specific: tuple[Field, ...]) -> dict[str, Field]:
    return {one.name: one for one in (*_COMMON, *specific)}


ENTITY_FIELDS = {kind: _fields(specific) for kind, specific in _SPECIFIC.items()} | {
    "TaskLearning": _fields(_SPECIFIC["Learning"])
}
"""The fields of an entity of each type by name, those it may have included; any other is unknown."""

COMMON_FIELDS = _fields(())
"""Of an entity whose type cannot be told."""

FOLDER_TYPES = {kind: (kind,) for kind in ENTITY_FIELDS} | {"Learning": ("Learning", "TaskLearning")}
"""Types of entities that may stand in the folder of a type."""

ID_PREFIXES = {kind: (f"{kind}-",) for kind in ENTITY_FIELDS} | {"TaskLearning": ("TaskLearning-", "Learning-")}
"""How the id of an entity of each type begins."""

REFERENCES = {"Project": "learnings"}
"""The field that holds ids of other entities, of the types that have one."""

RELATIONSHIP_FIELDS = (
    _expected("version", ANY),
    Field("created_at", MOMENT),
    _expected("relationship_type", TEXT),
    _expected("relationships", OBJECT),
    Field("statistics", OBJECT),
)

_INDEX_HEAD = (_expected("version", ANY), Field("created_at", MOMENT), Field("last_updated", MOMENT))

INDEX_FIELDS = {
    b"indexes/content-index.json": (
        *_INDEX_HEAD,
        _expected("entity_count", COUNT),
        _expected(
            "index", OBJECT, _expected("terms", OBJECT), _expected("entities", OBJECT), Field("statistics", OBJECT)
        ),
    ),
    b"indexes/tag-index.json": (
        *_INDEX_HEAD,
        _expected("tag_count", COUNT),
        _expected(
            "index", OBJECT, _expected("tags", OBJECT), _expected("entity_tags", OBJECT), Field("statistics", OBJECT)
        ),
    ),
    b"indexes/date-index.json": (
        *_INDEX_HEAD,
        _expected("date_range", OBJECT),
        _expected(
            "index",
            OBJECT,
            _expected("by_year", OBJECT),
            _expected("by_month", OBJECT),
            _expected("by_day", OBJECT),
            Field("statistics", OBJECT),
        ),
    ),
}
"""Of the indexes over all types, by stored path."""

TYPE_INDEX_FIELDS = (
    _expected("version", ANY),
    Field("type", TEXT),
    Field("last_updated", MOMENT),
    _expected("count", COUNT),
    _expected("entities", Shape(list, "a list")),
)
"""Of `entities/<Type>/index.json`."""
