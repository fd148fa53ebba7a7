"""Aligned columns."""

from __future__ import annotations

from icc_store.cli.table import Column, pairs, table
from icc_store.cli.text_width import display_width, shorten

COLUMNS = (Column("ID"), Column("NAME", flexible=True), Column("NOTE", flexible=True), Column("SIZE", right=True))


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """Text stands left, numbers right, and no line ends in spaces."""
    assert list(table(COLUMNS, [["1", "a", "x", "10"], ["22", "", "", "5"]])) == [
        "ID  NAME  NOTE  SIZE",
        "1   a     x       10",
        "22                 5",
    ]
    assert list(table(COLUMNS[:2], [["1", "a"], ["2", ""]])) == ["ID  NAME", "1   a", "2"]


def test_columns_that_say_nothing_are_left_out() -> None:
    """A column that is empty in every row is not shown, and a table without rows is nothing."""
    assert list(table(COLUMNS, [["1", "", "", "5"]])) == ["ID  SIZE", "1      5"]
    assert list(table(COLUMNS, [])) == []


def test_flexible_columns_give_way() -> None:
    """Where a row is too wide, the widest flexible column is shortened first, and fixed ones never."""
    lines = list(table(COLUMNS, [["1" * 10, "n" * 40, "o" * 20, "5"]], 50))
    assert max(map(len, lines)) == 50
    assert "1" * 10 in lines[1]
    assert lines[1].count("…") == 2
    assert len(max(table(COLUMNS, [["1" * 60, "n" * 40, "", "5"]], 50), key=len)) == 60 + 2 + 8 + 2 + 4


def test_wide_characters_take_two_columns() -> None:
    """What a terminal shows is aligned, not the number of characters."""
    assert display_width("größe") == 5
    assert display_width("日本") == 4
    assert display_width("e\u0301") == 1
    lines = list(table(COLUMNS[:2] + COLUMNS[3:], [["1", "日本", "5"], ["2", "abcd", "6"]]))
    assert [display_width(line) for line in lines] == [14, 14, 14]


def test_shortening() -> None:
    """A text that does not fit ends in an ellipsis and never takes more room than it has."""
    assert shorten("abc", 3) == "abc"
    assert shorten("abcd", 3) == "ab…"
    assert display_width(shorten("日本語", 4)) <= 4


def test_pairs() -> None:
    """Values stand in one column; rows without one are left out."""
    assert list(pairs([("a", "1"), ("none", ""), ("bcd", "2")], "  ")) == ["  a    1", "  bcd  2"]
