"""Many points of many operations, tried by worker processes, and what they came to."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import by_strace
from tests.faults.shim import Fault
from tests.faults.trial import Point

ROOT = Path(__file__).resolve().parents[2]
_MEMORY_DISK = Path("/dev/shm")


@dataclass(frozen=True)
class Task:
    """One operation under one fault: so many points, or the calls that `where` fits, or else all calls."""

    operation: str
    fault: Fault
    most: int | None = None
    where: str | None = None


@dataclass
class Outcome:
    """What became of a task."""

    operation: str
    fault: str
    calls: Counter[str]
    """The calls of a run without a fault that the fault can strike, by name."""
    points: list[Point] = field(default_factory=list)

    @property
    def struck(self) -> Counter[str]:
        """How many calls of each name the fault did strike."""
        return Counter(point.call for point in self.points if point.call is not None)

    @property
    def survived(self) -> int | None:
        """The number of the first call that is not there any more: where a run survived."""
        return next((point.number for point in self.points if point.call is None), None)

    @property
    def complaints(self) -> list[str]:
        """What is wrong, with the point where."""
        return [
            f"{self.operation}, {self.fault} at {point.number} ({point.call} {point.path}), exit {point.code}: {each}"
            for point in self.points
            for each in point.complaints
        ]


def sweep(tasks: Sequence[Task], *, jobs: int = 1, library: Path | None = None) -> Iterator[Outcome]:
    """Try out all tasks, in one process, or with more jobs in one for each operation; without the shim by strace.

    Raises RuntimeError when a process fails, and where there is neither.
    """
    if library is None and not by_strace.available():
        raise RuntimeError("no C compiler and no strace on this machine: calls cannot be made to fail")
    groups: dict[str, list[Task]] = {}
    for task in tasks:
        groups.setdefault(task.operation, []).append(task)
    shares = list(groups.values()) if jobs > 1 else [list(tasks)]
    with ThreadPoolExecutor(jobs) as pool:
        for outcomes in pool.map(lambda share: _work(share, library), shares):
            yield from outcomes


def _work(tasks: Sequence[Task], library: Path | None) -> list[Outcome]:
    """What a worker says of some tasks."""
    wanted = json.dumps([[task.operation, task.fault.name, task.most, task.where] for task in tasks])
    preload = {} if library is None else {"LD_PRELOAD": str(library)}
    with _scratch() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "tests.faults.worker", str(folder), wanted],
            cwd=ROOT,
            env=os.environ | preload | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise RuntimeError(f"the worker ended with {done.returncode}:\n{done.stderr[-4000:]}")
    outcomes: list[Outcome] = []
    for row in map(json.loads, done.stdout.splitlines()):
        if "calls" in row:
            outcomes.append(Outcome(row["operation"], row["fault"], Counter(row["calls"])))
        else:
            outcomes[-1].points.append(Point(**row | {"complaints": tuple(row["complaints"])}))
    return outcomes


@contextmanager
def _scratch() -> Iterator[Path]:
    """A new directory, in memory where the machine has such a place: thousands of runs wait for no disk."""
    fast = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="icc-store-faults-", dir=fast))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
