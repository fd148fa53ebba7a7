"""Looking for a text in records: which fields, items or lines hold it.

Capital and small letters are alike. Names of fields do not count, since every entity has the same; headings of notes
do. Numbers are taken as JSON writes them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from icc_store.entities.json_text import compact_json
from icc_store.entities.record import SECTION, Record
from icc_store.errors import UsageError

_SHOWN = 3
_AROUND = 60


@dataclass(frozen=True, slots=True)
class Passage:
    """Where a record holds the text: a field by dotted path, with the number of the item or line in brackets."""

    field: str
    text: str
    """The value, or as much of a long one as stands around the text."""


class Text:
    """What is looked for: a text, or with `regex` an expression that must match within one value or line."""

    def __init__(self, text: str, *, regex: bool = False) -> None:
        """Raises UsageError for what is empty or no expression."""
        if not text:
            raise UsageError("the text to look for is empty")
        self._needle = text.casefold()
        # The longest word: blanks may be a line break in the file, where YAML folds a value.
        word = max(text.lower().split(), key=len, default="")
        self._word = word.encode() if word.isascii() and word.isprintable() and not regex else b""
        self._find: Callable[[str], tuple[int, int] | None] = self._literal
        if regex:
            try:
                self._expression = re.compile(text, re.IGNORECASE)
            except (re.error, RecursionError, OverflowError) as error:
                raise UsageError(f"{text!r} is no regular expression: {error}") from None
            self._find = self._by_expression

    def may_be_in(self, data: bytes) -> bool:
        """False where a file cannot hold the text. A backslash may begin an escape, so such files must be parsed."""
        return self._word in data.lower() or b"\\" in data

    def passages(self, record: Record) -> tuple[Passage, ...]:
        """The first few places where the record holds the text."""
        found: list[Passage] = []
        for field, value in _texts(record):
            where = self._find(value)
            if where is not None:
                found.append(Passage(field, _around(value, *where)))
                if len(found) == _SHOWN:
                    break
        return tuple(found)

    def _literal(self, text: str) -> tuple[int, int] | None:
        at = text.casefold().find(self._needle)
        return None if at < 0 else (at, at + len(self._needle))

    def _by_expression(self, text: str) -> tuple[int, int] | None:
        match = self._expression.search(text)
        return match.span() if match else None


def _texts(record: Record) -> Iterator[tuple[str, str]]:
    """Every value of a record as text, with the place where it stands."""
    for field, value in record.flat().items():
        if field.startswith(SECTION):
            yield field, field.removeprefix(SECTION)
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield f"{field}[{number}]", _as_text(item)
        else:
            yield field, _as_text(value)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else compact_json(value)


def _around(text: str, start: int, end: int) -> str:
    """The text, or what stands around a part of it."""
    if len(text) <= 3 * _AROUND:
        return text
    first, last = max(0, start - _AROUND), end + _AROUND
    return ("…" if first else "") + text[first:last] + ("…" if last < len(text) else "")
