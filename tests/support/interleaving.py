"""One operation stopped at every point where it looks at the clock, while another process acts on the repository."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from icc_store.opening import create_repository, open_repository
from tests.support.live import NOW, Contents, fill, new_clock, snap
from tests.support.neighbour import HookedClock


@dataclass
class History:
    """A repository with some snapshots of one directory, oldest first."""

    path: Path
    source: Path
    expected: dict[bytes, Contents]

    @property
    def first(self) -> bytes:
        """The oldest snapshot."""
        return next(iter(self.expected))


def make_history(top: Path, states: Iterable[tuple[Contents, str]]) -> History:
    """A snapshot of each state, under the source beside it."""
    create_repository(top / "r")
    expected = {}
    with open_repository(top / "r", clock=new_clock()) as repository:
        for files, source in states:
            fill(top / "source", files)
            expected[snap(repository, top / "source", source=source).id] = files
    return History(top / "r", top / "source", expected)


class Trial:
    """A copy of a history, on which an operation is stopped at one look."""

    def __init__(self, path: Path, at: int, step: float) -> None:
        self.path = path
        self.at = at
        self._step = step
        self.looks = 0

    def clock(self, action: Callable[[], object]) -> HookedClock:
        """The clock of the operation; `action` is done at the look that is due."""
        self._clock = HookedClock(NOW, step=self._step, at=self.at, action=action)
        return self._clock

    def ends(self) -> None:
        """The operation is done; whatever comes now is not stopped any more."""
        self.looks = self._clock.looks
        self._clock.at = 0


def trials(history: History, top: Path, *, step: float, most: int) -> Iterator[Trial]:
    """A trial for each look, or for about `most` of them when there are many; the clock goes on by `step` a look."""
    at, looks = 1, 1
    while at <= looks:
        trial = Trial(top / f"{at}", at, step)
        shutil.copytree(history.path, trial.path)
        yield trial
        looks = trial.looks
        shutil.rmtree(trial.path)
        at += max(1, looks // most)
