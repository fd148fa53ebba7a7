"""Some work in another process, while this one does something else with the same repository."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

from icc_store.errors import WorkerKilled
from icc_store.model.repository import Repository
from icc_store.operations.crew import Job, Tell, hire

T = TypeVar("T")


@contextmanager
def beside(repository: Repository, work: Callable[[], T]) -> Iterator[Callable[[], T]]:
    """While the body runs, a child does the work, which may read the repository. Yields what waits for its result.

    That raises what the work raised. Where there can be no child, or it is killed, the work is done then.
    """

    def in_child(_jobs: Iterator[Job], _tell: Tell) -> T:
        repository.open_for_reading()
        return work()

    crew = hire(repository, 1, in_child, _nothing)

    def result() -> T:
        try:
            done: T = crew.finish()[0] if crew is not None else work()
        except WorkerKilled:
            return work()
        return done

    with crew or nullcontext():
        yield result


def _nothing(_said: Any) -> None:
    """There is only the result."""
