"""Reading an expression of `--where`, by recursive descent; what it means stands in where.py."""

from __future__ import annotations

import math
import re
from typing import Final

from icc_store.entities.where import (
    KEYWORDS,
    PLAIN_NAME,
    And,
    Comparison,
    Expression,
    Field,
    Listed,
    Literal,
    Not,
    Operand,
    Or,
    Scalar,
)
from icc_store.errors import UsageError
from icc_store.limits import MAX_WHERE_DEPTH, MAX_WHERE_LENGTH

EXAMPLE = 'for example: relevance_score >= 0.5 and "security" in tags'

_SPACE = re.compile(r"\s*")
_TOKEN = re.compile(
    rf"""
    (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:T[0-9:.]+(?:Z|[+-][0-9:]+)?)?(?![\w.-]))
    | (?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![\w.]))
    | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    | (?P<sign>==|!=|<=|>=|=|<|>|\(|\)|\[|\]|,|\.)
    | (?P<quoted>`[^`]+`)
    | (?P<word>{PLAIN_NAME.pattern})
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_COMPARISONS = frozenset(("=", "==", "!=", "<", "<=", ">", ">="))
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_END = "end"


def parse(text: str) -> Expression:
    """The expression in `text`. Raises UsageError, which names the column and what was expected there."""
    if len(text) > MAX_WHERE_LENGTH:
        raise UsageError(f"the expression has {len(text):,} characters; at most {MAX_WHERE_LENGTH:,} can be read")
    return _Parser(text).whole()


class _Parser:
    """The text, and the token at hand: its kind, its text, and where it begins."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next_at = 0
        self._depth = 0
        self._advance()

    def whole(self) -> Expression:
        expression = self._either()
        if self._kind != _END:
            raise self._unexpected("`and`, `or` or the end")
        return expression

    def _either(self) -> Expression:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Expression:
        parts = [self._one()]
        while self._take("and"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self) -> Expression:
        if self._depth >= MAX_WHERE_DEPTH:
            raise self._error(f"parentheses and `not` are nested more than {MAX_WHERE_DEPTH} deep")
        self._depth += 1
        try:
            if self._take("not"):
                return Not(self._one())
            if self._take("("):
                inner = self._either()
                self._need(")", "`and`, `or` or `)`")
                return inner
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Expression:
        left = self._operand("a field or a value")
        sign = self._word
        if self._kind == "sign" and sign in _COMPARISONS:
            self._advance()
        elif self._take("in"):
            sign = "in"
        elif self._take("not"):
            self._need("in", "`in`")
            sign = "not in"
        elif isinstance(left, Field):
            return left
        else:
            raise self._unexpected("a comparison such as = or `in`")
        return Comparison(left, "=" if sign == "==" else sign, self._operand(f"a field or a value after `{sign}`"))

    def _operand(self, expected: str) -> Operand:
        if self._take("["):
            items: list[Literal] = []
            while not self._take("]"):
                if items:
                    self._need(",", "`,` or `]`")
                items.append(self._literal("a text in quotes, a number, true, false or null"))
            return Listed(tuple(items))
        if self._kind == "quoted" or (self._kind == "word" and self._word not in KEYWORDS):
            return self._field()
        return self._literal(expected)

    def _field(self) -> Field:
        names = [self._name()]
        while self._take("."):
            if self._kind not in {"quoted", "word"}:
                raise self._unexpected("the name of a field after `.`")
            names.append(self._name())
        return Field(tuple(names))

    def _name(self) -> str:
        found = self._raw.strip("`")
        self._advance()
        return found

    def _literal(self, expected: str) -> Literal:
        value: Scalar
        if self._kind == "text":
            value = _ESCAPED.sub(r"\1", self._raw[1:-1])
        elif self._kind == "number":
            value = self._number()
        elif self._kind == "date":
            value = self._raw
        elif self._kind == "word" and self._word in _CONSTANTS:
            value = _CONSTANTS[self._word]
        else:
            raise self._unexpected(expected)
        self._advance()
        return Literal(value)

    def _number(self) -> int | float:
        if self._raw.removeprefix("-").isdecimal():
            return int(self._raw)
        number = float(self._raw)
        if not math.isfinite(number):
            raise self._error("the number is too large")
        return number

    def _take(self, word: str) -> bool:
        """Go on when this keyword or sign is at hand."""
        if self._kind not in {"word", "sign"} or self._word != word:
            return False
        self._advance()
        return True

    def _need(self, word: str, expected: str) -> None:
        if not self._take(word):
            raise self._unexpected(expected)

    def _advance(self) -> None:
        space = _SPACE.match(self._text, self._next_at)
        self._at = space.end() if space else self._next_at
        self._kind, self._raw = _END, ""
        if self._at < len(self._text):
            token = _TOKEN.match(self._text, self._at)
            if token is None or token.lastgroup is None:
                raise self._misspelt()
            self._kind, self._raw = token.lastgroup, token[0]
        lowered = self._raw.lower()
        self._word = lowered if lowered in KEYWORDS else self._raw
        self._next_at = self._at + len(self._raw)

    def _misspelt(self) -> UsageError:
        first = self._text[self._at]
        if first in "\"'`":
            return self._error(f"the quote {first} is not closed")
        return self._error(f"{first!r} means nothing here; texts stand in quotes")

    def _unexpected(self, expected: str) -> UsageError:
        found = "it ends" if self._kind == _END else f"there is {self._raw}"
        return self._error(f"{expected} was expected, but {found}")

    def _error(self, message: str) -> UsageError:
        return UsageError(f"the expression, column {self._at + 1}: {message}", hint=EXAMPLE)
