"""Work that nests without recursion."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from icc_store.fs.nesting import Nested, run_nested


def depth(left: int) -> Nested[int]:
    """How deep it goes."""
    return (yield depth(left - 1)) + 1 if left else 0


def test_any_depth() -> None:
    """Results come back through as many levels as there are."""
    assert run_nested(depth(20_000)) == 20_000


def test_an_error_is_raised_where_the_work_was_asked_for() -> None:
    """Whoever asked for a work can deal with its OSError; the outermost raises it."""

    def fails() -> Nested[int]:
        raise FileNotFoundError("gone")
        yield fails()

    def copes() -> Nested[int]:
        try:
            return (yield fails())
        except FileNotFoundError:
            return (yield depth(3)) + 10

    assert run_nested(copes()) == 13
    with pytest.raises(FileNotFoundError, match="gone"):
        run_nested(fails())


def test_any_other_end_is_tidy() -> None:
    """Whatever else ends it, every work that waited is told, the innermost first."""
    told: list[int] = []

    def level(number: int) -> Nested[int]:
        try:
            if number == 3:
                raise KeyboardInterrupt
            return (yield level(number + 1))
        finally:
            told.append(number)

    with pytest.raises(KeyboardInterrupt):
        run_nested(level(0))
    assert told == [3, 2, 1, 0]
    assert isinstance(level(0), Iterator)
