"""Expressions as text: read, written back, and refused with the place that is wrong."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.entities.where import (
    OPERATORS,
    And,
    Comparison,
    Expression,
    Field,
    Listed,
    Literal,
    Not,
    Or,
)
from icc_store.entities.where_parser import parse
from icc_store.errors import UsageError
from icc_store.limits import MAX_WHERE_DEPTH, MAX_WHERE_LENGTH

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LITERALS = st.builds(Literal, st.none() | st.booleans() | NUMBERS | st.text(max_size=20))
NAMES = st.text(st.characters(exclude_characters="`"), min_size=1, max_size=12) | st.sampled_from(("tags", "and", "In"))
FIELDS = st.builds(Field, st.lists(NAMES, min_size=1, max_size=3).map(tuple))
OPERANDS = LITERALS | FIELDS | st.builds(Listed, st.lists(LITERALS, max_size=3).map(tuple))
SIMPLE = FIELDS | st.builds(Comparison, OPERANDS, st.sampled_from(OPERATORS), OPERANDS)


def several(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    parts = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, inner) | st.builds(And, parts) | st.builds(Or, parts)


EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(SIMPLE, several, max_leaves=8)
WORDS = ("and", "or", "not", "in", "(", ")", "[", "]", ",", ".", "=", "<=", "tags", "`a b`", "1.5", '"x', "'y'", "null")


@given(EXPRESSIONS)
def test_what_is_written_is_read_back(expression: Expression) -> None:
    """The text of any expression is read to an equal one."""
    assert parse(str(expression)) == expression


@given(
    st.text(max_size=60)
    | st.text(string.printable, max_size=60)
    | st.lists(st.sampled_from(WORDS), max_size=20).map(" ".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is typed is an expression, which can be asked of an entity, or wrong usage."""
    try:
        expression = parse(text)
    except UsageError:
        return
    assert expression.holds({"tags": ["x"], "a b": 1}) in {True, False}


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("", 1, "a field or a value was expected, but it ends"),
        ("relevance_score >=", 19, "after `>=` was expected, but it ends"),
        ("relevance_score >= 0.5 tags", 24, "`and`, `or` or the end was expected, but there is tags"),
        ("0.5", 4, "a comparison such as = or `in` was expected"),
        ("(tags", 6, "`and`, `or` or `)` was expected, but it ends"),
        ("tags)", 5, "`and`, `or` or the end was expected, but there is )"),
        ("type in ['a' 'b']", 14, "`,` or `]` was expected"),
        ("type in ['a', tags]", 15, "a text in quotes, a number, true, false or null was expected"),
        ("type not 'a'", 10, "`in` was expected"),
        ("type = 'a", 8, "the quote ' is not closed"),
        ("type = `", 8, "the quote ` is not closed"),
        ("type & 'a'", 6, "'&' means nothing here"),
        ("context. = 1", 10, "the name of a field after `.` was expected"),
        ("a = 1e999", 5, "the number is too large"),
        ("and", 1, "a field or a value was expected, but there is and"),
        ("a = 1 < 2", 7, "`and`, `or` or the end was expected"),
        ("a\n= 1 or\n  ]", 12, "a field or a value was expected, but there is ]"),
    ],
)
def test_what_is_wrong_and_where(text: str, column: int, words: str) -> None:
    """An error names the column, says what was expected there, and gives an example."""
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.message.startswith(f"the expression, column {column}: ")
    assert words in caught.value.message
    assert caught.value.hint is not None


def test_length_and_depth_are_bounded() -> None:
    """What is longer or deeper than any expression is refused and not tried; what is just within is read."""
    fits = MAX_WHERE_DEPTH - 1
    assert parse("(" * fits + "a" + ")" * fits) == Field(("a",))
    assert parse("not " * fits + "a").holds({}) is (fits % 2 == 1)
    for text in ("(" * MAX_WHERE_DEPTH + "a", "not " * MAX_WHERE_DEPTH + "a"):
        with pytest.raises(UsageError, match="nested more than"):
            parse(text)
    assert parse("a = " + "1" * (MAX_WHERE_LENGTH - 4))
    with pytest.raises(UsageError, match="at most"):
        parse("a = " + "1" * MAX_WHERE_LENGTH)
