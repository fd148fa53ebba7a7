"""JSON as the memories write it. The only module that imports msgspec, which takes a third of the time of `json`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Annotated, Any

import msgspec

_TOO_DEEP = "it is nested too deeply"

COUNTER: Any = Annotated[int, msgspec.Meta(ge=0)]
FRACTION: Any = Annotated[float, msgspec.Meta(ge=0, le=1)]
TIME: Any = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339, with a time zone."""

TypedField = tuple[str, Any, bool]
"""Name, type, and whether it must be there; one that need not may be null as well."""

JsonText = bytes | msgspec.Raw
"""A value as it is written: a file, or a member of one."""

Members = dict[str, msgspec.Raw]

_REFUSED = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class NotJson(ValueError):
    """The bytes are not JSON; the message says where."""


def parse_json(data: JsonText) -> Any:
    """The value in `data`. Raises NotJson, also for what is nested too deeply, not UTF-8, or NaN."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from None


def parse_members(data: JsonText) -> Members:
    """The members of the object in `data`, each left as it is written, for `parse_json` or `parse_members`.

    So a large index is gone through without ever being in memory as objects. Raises NotJson for what is no object.
    """
    try:
        members: Members = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
        return members
    except RecursionError:
        raise NotJson(_TOO_DEEP) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(str(error)) from None


class _Row(msgspec.Struct):
    id: Any = None


_ROWS = msgspec.json.Decoder(list[_Row | str])


def ids_in_rows(text: JsonText) -> list[Any] | None:
    """Of each row in a list its `id`, or the row itself where it is none; None for what is no list. Raises NotJson.

    Of a large index, nothing else of a row is ever in memory.
    """
    try:
        return [row.id if type(row) is _Row else row for row in _ROWS.decode(text)]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows = parse_json(text)  # says what is wrong, or has rows of other kinds
    return [row.get("id") if isinstance(row, dict) else row for row in rows] if isinstance(rows, list) else None


def format_json(value: Any) -> bytes:
    """Pretty-printed with two blanks, as memory systems write their files; keys in the order given; a final newline."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def make_decoder(name: str, fields: Iterable[TypedField]) -> Callable[[bytes], Any]:
    """A function from JSON to an object that has the fields as attributes; to None for whatever does not fit.

    No other fields may be there. The work is done in C, and nothing is said of why something does not fit.
    """
    decode = msgspec.json.Decoder(_struct(name, fields, closed=True)).decode

    def fitting(data: bytes) -> Any:
        try:
            return decode(data)
        except _REFUSED:
            return None

    return fitting


def make_check(name: str, fields: Iterable[TypedField]) -> Callable[[Any], bool]:
    """A function that says whether a parsed object has the fields. Others may be there as well."""
    return make_fit(_struct(name, fields, closed=False))


def make_fit(kind: Any) -> Callable[[Any], bool]:
    """A function that says whether a parsed value is of a type; `make_decoder` takes the same for it."""
    convert = msgspec.convert

    def fits(value: Any) -> bool:
        try:
            convert(value, kind)
        except msgspec.ValidationError:
            return False
        return True

    return fits


def parse_time(text: str) -> datetime | None:
    """The time that a text is, if it is one of type TIME."""
    try:
        time: datetime = msgspec.convert(text, TIME)
    except msgspec.ValidationError:
        return None
    return time


def _struct(name: str, fields: Iterable[TypedField], *, closed: bool) -> type[msgspec.Struct]:
    members = [(field, kind) if needed else (field, kind | None, None) for field, kind, needed in fields]
    return msgspec.defstruct(name, members, forbid_unknown_fields=closed, kw_only=True, gc=False)


def compact_json(value: Any) -> str:
    """One line without blanks."""
    return msgspec.json.encode(value).decode()
