"""What changed in a record, as a person reads it."""

from __future__ import annotations

from typing import Any

import pytest

from icc_store.cli.field_changes import change_fields, change_lines
from icc_store.entities.changes import compare
from icc_store.entities.record import Lines, Record


def lines(old: dict[str, Any], new: dict[str, Any], width: int | None = 80) -> list[str]:
    return list(change_lines(compare(Record("x", "", old), Record("x", "", new)), width, "  "))


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        ({"relevance_score": 0.41}, {"relevance_score": 0.7}, "relevance_score 0.41 -> 0.7"),
        ({"s": {"phase": "plan"}}, {"s": {"phase": "build"}}, "s.phase plan -> build"),
        ({"a": None}, {"a": ""}, 'a null -> ""'),
        ({"a": "x\ny\tz"}, {"a": True}, "a x\\ny\\tz -> true"),
        ({"a": {"b": 1}}, {"a": [1]}, "+a 1 item"),
        ({}, {"n": 1}, "+n 1"),
        ({"tags": ["a", "b"]}, {}, "-tags a, b"),
        ({"tags": ["two words", "b"]}, {}, "-tags 2 items"),
        ({"tags": ["old", "a"]}, {"tags": ["a", "security"]}, "tags +security -old"),
        ({"tags": ["a", "b"]}, {"tags": ["b", "a"]}, "tags reordered"),
        ({"observations": ["a b"]}, {"observations": ["a b", "c d", "e f"]}, "observations +2"),
        ({"t": ["a", "b c"]}, {"t": ["d"]}, "t +1 -2"),
        ({"t": []}, {"t": list("abcde")}, "t +5"),
        ({"section Setup": Lines("ab")}, {"section Setup": Lines("acde")}, "section Setup: +3 -1 lines"),
        ({}, {"section Setup": Lines("ab")}, "+section Setup 2 lines"),
    ],
)
def test_one_line_for_each_change(old: dict[str, Any], new: dict[str, Any], shown: str) -> None:
    """Scalars with both values, short items by name and others by number, lines by number."""
    assert lines(old, new)[0] == f"  {shown}"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_long_values_are_cut(width: int) -> None:
    """Where both values are long each gets half of the line; where one is short the other gets the rest."""
    both, one, new = lines({"n": "a" * 999, "m": "b" * 999}, {"n": "c" * 999, "m": "short", "x": "d" * 999}, width)
    assert {len(line) for line in (one, new)} == {width}
    assert width - 1 <= len(both) <= width
    assert both.count("…") == 2
    assert one.endswith("… -> short")
    assert max(map(len, lines({"名" * 30: "名" * 30}, {"名" * 30: "x"}, width))) <= width


def test_json_holds_all_of_it() -> None:
    """No value is cut in JSON, and only what says something about a change is there."""
    long = "a" * 999
    changes = compare(
        Record("x", "", {"n": long, "t": ["a"], "g": 1}), Record("x", "", {"n": "b", "t": [long], "a": []})
    )
    assert [change_fields(change) for change in changes] == [
        {"field": "n", "change": "changed", "before": long, "after": "b"},
        {"field": "t", "change": "items", "added": [long], "removed": ["a"]},
        {"field": "a", "change": "added", "after": []},
        {"field": "g", "change": "removed", "before": 1},
    ]
