"""The close look of validation: goes through a parsed file field by field and says what is wrong with each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from icc_store.entities.findings import Finding, error, named, shortened, warning
from icc_store.entities.json_text import parse_time
from icc_store.entities.layout import ENTITY_TYPES, entity_id, place_of
from icc_store.entities.moments import moment
from icc_store.entities.schema import (
    CHOICE,
    COMMON_FIELDS,
    ENTITY_FIELDS,
    FOLDER_TYPES,
    ID_PREFIXES,
    MOMENT,
    TEXTS,
    Field,
    Need,
)

_TYPES = ", ".join(ENTITY_TYPES)


def check_entity(path: bytes, entity: Mapping[str, Any], month: tuple[int, int] | None) -> list[Finding]:
    """What is wrong with an entity, by its stored path; `month` is the one that its directory stands for."""
    kind = entity.get("type")
    folder = place_of(path).type
    fields = COMMON_FIELDS
    if isinstance(kind, str) and kind in ENTITY_FIELDS:
        fields = ENTITY_FIELDS[kind]
    elif folder in ENTITY_FIELDS:
        fields = ENTITY_FIELDS[folder]
    found = check_fields(path, entity, fields.values())
    if isinstance(kind, str):
        found += _check_type(path, kind, folder)
    identity = entity.get("id")
    if isinstance(identity, str):
        found += _check_id(path, identity, kind)
    created = moment_of(entity.get("created_at"))
    if created is not None and month is not None and (created.year, created.month) != month:
        found.append(
            warning(
                path,
                "created_at",
                f"created in {created:%Y/%m}, but the file stands in {month[0]:04d}/{month[1]:02d}; "
                "expected in the folder of its month",
            )
        )
    if fields is not COMMON_FIELDS:
        found += [
            warning(path, named(name), "not a field that entities of this type have")
            for name in entity
            if name not in fields
        ]
    return found


def check_fields(path: bytes, value: Mapping[str, Any], fields: Iterable[Field], *, inside: str = "") -> list[Finding]:
    """What is wrong with the fields of an object, as far as their shapes go. `inside` is the object's own field."""
    found: list[Finding] = []
    for one in fields:
        name = f"{inside}.{one.name}" if inside else one.name
        what: Any = value.get(one.name)
        if what is None and not (one.shape.nullable and one.name in value):
            if one.need is Need.REQUIRED:
                found.append(error(path, name, f"missing; expected {one.shape.expected}"))
            elif one.need is Need.EXPECTED:
                found.append(warning(path, name, f"missing; expected {one.shape.expected}"))
        elif not one.shape.fits(what):
            found.append(_misfit(path, name, one, what))
        elif one.fields:
            found += check_fields(path, what, one.fields, inside=name)
    return found


def moment_of(value: Any) -> datetime | None:
    """The time in a field, also where it has no time zone; None for anything else."""
    if not isinstance(value, str):
        return None
    return parse_time(value) or moment(value)


def _misfit(path: bytes, name: str, field: Field, value: Any) -> Finding:
    """The finding for a value of another shape than its field has."""
    expected = field.shape.expected
    if field.shape is TEXTS and isinstance(value, list):
        wrong = [number for number, item in enumerate(value) if not isinstance(item, str)]
        more = f" and {len(wrong) - 1} more of the list" if len(wrong) > 1 else ""
        return error(path, f"{name}[{wrong[0]}]", f"{_kind_of(value[wrong[0]])}{more}; expected a text")
    if field.shape is MOMENT and moment_of(value) is not None:
        return warning(path, name, f"a time without a time zone, or written in another form; expected {expected}")
    other = " of another form" if isinstance(value, str) and field.shape in {CHOICE, MOMENT} else ""
    return Finding(field.severity, path, name, f"{_kind_of(value)}{other}; expected {expected}")


def _kind_of(value: Any) -> str:
    """What a value is, in words that give away nothing of a text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.15g}" if isinstance(value, float) or abs(value) < 10**15 else "a number too large"
    if value is None:
        return "null"
    if isinstance(value, str):
        return "a text"
    return "a list" if isinstance(value, list) else "an object"


def _check_type(path: bytes, kind: str, folder: str) -> list[Finding]:
    if kind not in ENTITY_FIELDS:
        return [error(path, "type", f"not a known type; expected one of {_TYPES}")]
    if kind in FOLDER_TYPES.get(folder, ()):
        return []
    where = f"entities/{shortened(folder)}/" if folder else "entities/ itself"
    return [error(path, "type", f"an entity of type {kind} in {where}; expected in entities/{kind}/")]


def _check_id(path: bytes, identity: str, kind: Any) -> list[Finding]:
    found = []
    if isinstance(kind, str) and kind in ENTITY_FIELDS and not identity.startswith(ID_PREFIXES[kind]):
        found.append(error(path, "id", f"{named(identity)} does not begin with its type; expected {kind}-..."))
    if identity != entity_id(path):
        stem = entity_id(path)
        found.append(error(path, "id", f"{named(identity)} in a file called {shortened(stem)}.json; expected the same"))
    return found
