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
from queue import Queue

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
    finished: Queue[Outcome | None] = Queue()
    with ThreadPoolExecutor(jobs) as pool:
        working = [pool.submit(_work, share, library, finished) for share in shares]
        for _ in working:
            yield from iter(finished.get, None)
        for one in working:
            one.result()


def _work(tasks: Sequence[Task], library: Path | None, finished: Queue[Outcome | None]) -> None:
    """Have a worker do some tasks, and pass on what came of each as soon as it is done; None at the end."""
    try:
        for outcome in _outcomes(tasks, library):
            finished.put(outcome)
    finally:
        finished.put(None)


def _outcomes(tasks: Sequence[Task], library: Path | None) -> Iterator[Outcome]:
    wanted = json.dumps([[task.operation, task.fault.name, task.most, task.where] for task in tasks])
    preload = {} if library is None else {"LD_PRELOAD": str(library)}
    outcome: Outcome | None = None
    with _scratch() as folder, (folder / "stderr").open("w+") as errors:
        command = [sys.executable, "-m", "tests.faults.worker", str(folder), wanted]
        environ = os.environ | preload | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        with subprocess.Popen(
            command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as worker:
            assert worker.stdout is not None
            for row in map(json.loads, worker.stdout):
                if "calls" not in row:
                    assert outcome is not None
                    outcome.points.append(Point(**row | {"complaints": tuple(row["complaints"])}))
                    continue
                if outcome is not None:
                    yield outcome
                outcome = Outcome(row["operation"], row["fault"], Counter(row["calls"]))
        errors.seek(0)
        if worker.returncode != 0:
            raise RuntimeError(f"the worker ended with {worker.returncode}:\n{errors.read()[-4000:]}")
    if outcome is not None:
        yield outcome


@contextmanager
def _scratch() -> Iterator[Path]:
    """A new directory, in memory where the machine has such a place: thousands of runs wait for no disk."""
    fast = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="icc-store-faults-", dir=fast))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
