"""Work that nests as deep as directories do, without recursion: Python's stack ends long before a file system's."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")
Nested = Generator["Nested[T]", Any, T]
"""A work that yields another of its kind when it needs that one's result, and ends with its own."""


def run_nested(first: Nested[T]) -> T:
    """The result of a work. An OSError of one that was yielded is raised where it was yielded."""
    waiting = [first]
    error: OSError | None = None
    value: Any = None
    try:
        while waiting:
            work = waiting[-1]
            try:
                inner = work.send(value) if error is None else work.throw(error)
            except StopIteration as done:
                waiting.pop()
                value, error = done.value, None
            except OSError as raised:
                waiting.pop()
                value, error = None, raised
            else:
                waiting.append(inner)
                value, error = None, None
    finally:
        while waiting:
            waiting.pop().close()  # the innermost first: each leaves the directory it went into
    if error is not None:
        raise error
    result: T = value
    return result
