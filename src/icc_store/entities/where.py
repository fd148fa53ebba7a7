"""What an expression of `--where` means: `relevance_score >= 0.5 and "security" in tags`.

    comparison   = == != < <= > >=     of fields, texts in quotes, numbers, true, false, null
    membership   in, not in            an item of a list, or a part of a text
    a field      archived              true unless it is missing, null, false, 0 or empty
    together     and, or, not, ( )     `not` binds closest, then `and`

A field is named by its path (`context.domain`), in backquotes where it has other characters than letters, digits, `_`
and `-`. A date may stand without quotes. A field that is missing is null. Null equals nothing but null and is neither
below nor above anything, so `outcome != null` asks whether there is one; and `a != b` is always `not a = b`.

Numbers compare with numbers and texts with texts, by the order of their characters; two texts that are both dates are
ordered as moments: a date alone is the start of that day, and what names no zone is UTC. `=` takes texts as they are.
Values of different kinds are never equal and in no order.

`str` of an expression is text that `parse` (where_parser.py) reads back to an equal one.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from icc_store.entities.moments import moment

Scalar: TypeAlias = "str | int | float | bool | None"
Fields: TypeAlias = Mapping[str, Any]

KEYWORDS = frozenset(("and", "or", "not", "in", "true", "false", "null"))
PLAIN_NAME = re.compile(r"[^\W\d][\w-]*")
_WORDS = {None: "null", True: "true", False: "false"}
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
OPERATORS = ("=", "!=", *_ORDERS, "in", "not in")


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, true, false or null."""

    value: Scalar

    def of(self, fields: Fields) -> Any:
        """Its value, whatever the entity."""
        return self.value

    def __str__(self) -> str:
        if isinstance(self.value, str):
            return '"' + self.value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        if self.value is None or isinstance(self.value, bool):
            return _WORDS[self.value]
        return repr(self.value)


@dataclass(frozen=True, slots=True)
class Listed:
    """Literals in brackets."""

    items: tuple[Literal, ...]

    def of(self, fields: Fields) -> Any:
        """Their values."""
        return [item.value for item in self.items]

    def __str__(self) -> str:
        return f"[{', '.join(map(str, self.items))}]"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an entity, or of an object in it."""

    names: tuple[str, ...]

    def of(self, fields: Fields) -> Any:
        """What the entity has there; None when it has nothing."""
        value: Any = fields
        for name in self.names:
            if not isinstance(value, Mapping):
                return None
            value = value.get(name)
        return value

    def holds(self, fields: Fields) -> bool:
        """Whether there is something, and not false, 0 or empty."""
        return bool(self.of(fields))

    def __str__(self) -> str:
        return ".".join(map(_spelled, self.names))


Operand: TypeAlias = Literal | Listed | Field


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and one of OPERATORS."""

    left: Operand
    operator: str
    right: Operand

    def holds(self, fields: Fields) -> bool:
        """Whether it is true of an entity with these fields."""
        left, right = self.left.of(fields), self.right.of(fields)
        match self.operator:
            case "=":
                return _equal(left, right)
            case "!=":
                return not _equal(left, right)
            case "in":
                return _contains(right, left)
            case "not in":
                return not _contains(right, left)
        return _ordered(_ORDERS[self.operator], left, right)

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    inner: Expression

    def holds(self, fields: Fields) -> bool:
        """Whether the inner expression is not true."""
        return not self.inner.holds(fields)

    def __str__(self) -> str:
        return f"not {_nested(self.inner, And, Or)}"


@dataclass(frozen=True, slots=True)
class And:
    """Two or more that must all hold."""

    parts: tuple[Expression, ...]

    def holds(self, fields: Fields) -> bool:
        """Whether all parts are true."""
        return all(part.holds(fields) for part in self.parts)

    def __str__(self) -> str:
        return " and ".join(_nested(part, And, Or) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more of which one must hold."""

    parts: tuple[Expression, ...]

    def holds(self, fields: Fields) -> bool:
        """Whether any part is true."""
        return any(part.holds(fields) for part in self.parts)

    def __str__(self) -> str:
        return " or ".join(_nested(part, Or) for part in self.parts)


Expression: TypeAlias = Field | Comparison | Not | And | Or


def _nested(expression: Expression, *in_parentheses: type) -> str:
    return f"({expression})" if isinstance(expression, in_parentheses) else str(expression)


def _spelled(name: str) -> str:
    if PLAIN_NAME.fullmatch(name) and name.lower() not in KEYWORDS:
        return name
    return f"`{name}`"


def _equal(left: Any, right: Any) -> bool:
    """Equality that does not take true for 1."""
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(whole, str):
        return isinstance(part, str) and part in whole
    return isinstance(whole, list) and any(_equal(item, part) for item in whole)


def _ordered(order: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        moments = moment(left), moment(right)
        return order(*moments) if None not in moments else order(left, right)
    return _is_number(left) and _is_number(right) and order(left, right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
