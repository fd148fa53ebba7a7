"""Another process that works on the same repository, one step at a time, whenever a test says so.

And a clock to say so with: the code under test asks it at every look into the repository.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from icc_store.clock import FixedClock
from icc_store.errors import BusyError, DamageError, IccStoreError
from icc_store.opening import open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.optimize import OptimizeOptions, optimize
from tests.support.live import NOW, clean, fill, snap

BUSY = "busy"


@dataclass
class HookedClock(FixedClock):
    """Goes on by `step` seconds at every look, so that no view lasts, and does something at the one numbered `at`."""

    step: float = 0.0
    at: int = 0
    action: Callable[[], object] | None = None
    looks: int = field(default=0)

    def monotonic(self) -> float:
        self.looks += 1
        self.ns += int(self.step * 1e9)
        if self.looks == self.at and self.action is not None:
            self.action()
        return self.ns / 1e9


class Neighbour:
    """Its methods return the ids of the snapshots they took, or BUSY when the repository was locked."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def snapshot(self, repository: Path, source: Path, files: Mapping[str, bytes], **options: Any) -> Any:
        """Make `source` hold these files and take a snapshot of it."""
        return self._ask("snapshot", repository, source, dict(files), options)

    def collect(self, repository: Path) -> Any:
        """Forget all but the newest snapshot of each source, and remove the others at once."""
        return self._ask("collect", repository)

    def forget(self, repository: Path, snapshots: list[bytes]) -> Any:
        """Forget these for good, and run gc."""
        return self._ask("forget", repository, snapshots)

    def optimize(self, repository: Path) -> Any:
        """Write everything anew for size."""
        return self._ask("optimize", repository)

    def _ask(self, *request: Any) -> Any:
        self._pipe.send(request)
        answer = self._pipe.recv()
        if isinstance(answer, Exception):
            raise answer
        return answer


@contextmanager
def neighbour() -> Iterator[Neighbour]:
    """The process, in the body."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield Neighbour(here)
    finally:
        here.close()
        process.join(10)


def _serve(pipe: Connection) -> None:
    while True:
        try:
            request = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(_do(*request))
        except BusyError:
            pipe.send(BUSY)
        except (IccStoreError, OSError) as error:
            kind = DamageError if isinstance(error, DamageError) else AssertionError
            pipe.send(kind(f"the neighbour failed: {type(error).__name__}: {error}"))


def _do(verb: str, path: Path, *rest: Any) -> Any:
    with open_repository(path, clock=FixedClock(NOW), timeout=0.0) as repository:
        if verb == "snapshot":
            source, files, options = rest
            fill(source, files)
            return [snap(repository, source, **options).id]
        if verb == "optimize":
            optimize(repository, options=OptimizeOptions(level=3, threads=1))
            return []
        if verb == "forget":
            forget(repository, rest[0], options=ForgetOptions(purge=True))
        else:
            newest = {one.record.source: one.id for one in repository.snapshots()}
            going = [one.id for one in repository.snapshots() if one.id not in newest.values()]
            forget(repository, going, options=ForgetOptions(purge=True))
        clean(repository)
        return []
