"""Reading in children that may die of it."""

from __future__ import annotations

import faulthandler
import os
import signal
from collections.abc import Callable

import pytest

from icc_store.errors import IccStoreError, Interrupted, WorkerKilled
from icc_store.store.sacrifice import Give, Sacrifice
from tests.support.processes import children

At = Callable[[int], None]


def counting(killers: frozenset[int], end: int = 20) -> Callable[[int, At, Give], None]:
    """Gives every number, and dies of some."""

    def work(position: int, at: At, give: Give) -> None:
        for number in range(position, end):
            at(number)
            if number in killers:
                faulthandler.disable()
                os.kill(os.getpid(), signal.SIGSEGV)
            give(b"%d" % number, b"x" * number * 10_000)

    return work


@pytest.mark.parametrize("killers", [frozenset[int](), frozenset((0,)), frozenset((3, 4, 11)), frozenset((19,))])
def test_only_what_kills_is_missing(killers: frozenset[int]) -> None:
    """Where a child dies the next one goes on behind that, and how each died is told."""
    readers = Sacrifice(counting(killers))
    rows = dict(readers.rows())
    assert set(rows) == {b"%d" % number for number in range(20) if number not in killers}
    assert all(value == b"x" * int(key) * 10_000 for key, value in rows.items())
    assert len(readers.problems) == len(killers)
    assert all("SIGSEGV" in problem for problem in readers.problems)


def test_there_is_an_end_to_dying() -> None:
    """However many positions kill, only so many children are sent."""
    readers = Sacrifice(counting(frozenset(range(20))), children=5)
    assert list(readers.rows()) == []
    assert len(readers.problems) == 5


def test_an_error_is_told() -> None:
    """What a child raises ends the reading, and is told; what it gave before is there. It is not tried again."""

    def work(_position: int, _at: At, give: Give) -> None:
        give(b"a", b"1")
        raise ValueError("it broke")

    readers = Sacrifice(work)
    assert list(readers.rows()) == [(b"a", b"1")]
    assert readers.problems == ["it broke"]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (signal.SIGKILL, WorkerKilled),
        (signal.SIGINT, Interrupted),
        (signal.SIGTERM, Interrupted),
        (signal.SIGHUP, Interrupted),
    ],
)
def test_what_somebody_else_ends_has_met_no_damage(number: signal.Signals, error: type[IccStoreError]) -> None:
    """A child that was killed or asked to end has not died of what it read, and nothing is skipped."""

    def work(position: int, _at: At, give: Give) -> None:
        give(b"a", b"%d" % position)
        os.kill(os.getpid(), number)

    readers = Sacrifice(work)
    rows = readers.rows()
    assert next(rows) == (b"a", b"0")
    with pytest.raises(error, match=number.name):
        next(rows)
    assert readers.problems == []


def test_no_child_is_left_behind() -> None:
    """Who stops asking in the middle leaves neither a process nor a descriptor."""
    before, started = set(os.listdir("/proc/self/fd")), children()
    rows = Sacrifice(counting(frozenset(), end=100)).rows()
    next(rows)
    rows.close()
    assert set(os.listdir("/proc/self/fd")) == before
    assert children() == started


def test_a_child_that_nobody_waits_for_ends() -> None:
    """Who stops asking does not wait for work that takes long."""

    def work(_position: int, _at: At, give: Give) -> None:
        give(b"a", b"1")
        signal.pause()

    started = children()
    rows = Sacrifice(work).rows()
    assert next(rows) == (b"a", b"1")
    rows.close()
    assert children() == started
