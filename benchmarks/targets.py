"""What icc-store is to reach: what it must, and what would be more than that."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from benchmarks import floors
from benchmarks.figures import (
    Figure,
    cpu_of_floor,
    faster,
    last_of_first,
    linear,
    memory_of_first,
    peak_memory,
    peak_memory_at,
    size,
    wall,
    wall_of_floor,
)
from benchmarks.results import ScenarioResult
from benchmarks.scenarios.binary import EDITED
from benchmarks.scenarios.growth import GC, LAST, ONE_OLD, OPTIMIZED, OPTIMIZED_RESTORE
from benchmarks.scenarios.memory import DAY, DIFF, FIRST, HELP, LIST, ONE_FILE, RESTORE, UNCHANGED, VERIFY
from benchmarks.scenarios.scale import SNAPSHOT

FASTER_OF = "the faster of restic and borg"
STATED_FOR = 100_000
"""The entities of the memory that targets are stated for, where they say nothing else."""

_MB = 1 << 20


@dataclass(frozen=True)
class Target:
    """One figure to reach in the scenarios whose name begins with `family`: at least or at most so much.

    `must` or `stretch` is None where only the other one is stated.
    """

    family: str
    text: str
    figure: Figure
    must: float | None
    stretch: float | None
    at_least: bool
    show: Callable[[float], str]


@dataclass(frozen=True)
class Verdict:
    """A target, and what was measured in the largest scenario that it is about; None where nothing was."""

    target: Target
    scenario: str
    measured: float | None

    @property
    def met(self) -> bool | None:
        """Whether what must be reached was, or where nothing must, what would be more; None: not measured."""
        bound = self.target.must if self.target.must is not None else self.target.stretch
        return None if self.measured is None or bound is None else self._reaches(bound)

    @property
    def words(self) -> str:
        """Say what was reached, and by how much it was missed or surpassed."""
        if self.measured is None:
            return "not measured"
        must, stretch = self.target.must, self.target.stretch
        if stretch is not None and self._reaches(stretch):
            return f"stretch, {self._distance(stretch)} to spare"
        if must is None and stretch is not None:
            return f"stretch missed by {self._distance(stretch)}"
        if must is None:
            return "no bound"
        if not self._reaches(must):
            return f"**missed by {self._distance(must)}**"
        return f"met, {self._distance(must)} to spare"

    def _reaches(self, bound: float) -> bool:
        measured = self.measured or 0.0
        return measured >= bound if self.target.at_least else measured <= bound

    def _distance(self, bound: float) -> str:
        return f"{abs((self.measured or 0.0) / bound - 1):.0%}"


def times(ratio: float) -> str:
    """Show a ratio."""
    return f"{ratio:.2f}x" if ratio < 10 else f"{ratio:.0f}x"


def milliseconds(seconds: float) -> str:
    """Show a short time."""
    return f"{seconds * 1000:.0f} ms"


def megabytes(size: float) -> str:
    """Show a size."""
    return f"{size / _MB:.0f} MB"


def _fast(family: str, operation: str, must: float, stretch: float | None, text: str = "") -> Target:
    return Target(
        family, f"{text or operation}: times as fast", faster(operation), must, stretch, at_least=True, show=times
    )


def _low(
    family: str,
    text: str,
    figure: Figure,
    must: float | None,
    stretch: float | None,
    *,
    show: Callable[[float], str] = times,
) -> Target:
    return Target(family, text, figure, must, stretch, at_least=False, show=show)


_AGGRESSIVE = "`git gc --aggressive`"
_OPTIMIZE = "`icc-store optimize`"
_MANY = 1_000_000

TARGETS: Sequence[Target] = (
    _fast("memory", FIRST, 2.5, 4),
    _low("memory", f"{FIRST}: CPU, of that of the floor", cpu_of_floor(FIRST, floors.COMPRESS), None, 2),
    _fast("memory", UNCHANGED, 6, 10),
    _low("memory", f"{UNCHANGED}: of a bare walk and stat in C", wall_of_floor(UNCHANGED, floors.WALK), None, 3),
    _fast("memory", DAY, 5, 8),
    _fast("memory", RESTORE, 2.5, None),
    Target("memory", f"{RESTORE}: times as fast as `git checkout`", faster(RESTORE, "git"), 1, None, True, times),
    _low("memory", f"{RESTORE}: of the create and write floor", wall_of_floor(RESTORE, floors.CREATE), None, 1.3),
    _fast("memory", ONE_FILE, 5, 10, "one file of the newest snapshot"),
    _fast("growth", ONE_OLD, 5, 10, "one file of the 30th snapshot back"),
    _fast("memory", VERIFY, 4, None),
    Target("memory", f"{VERIFY}: times as fast as `git fsck`", faster(VERIFY, "git"), None, 1, True, times),
    _fast("growth", OPTIMIZED_RESTORE, 2.5, None, f"{RESTORE} after {_OPTIMIZE}"),
    _fast("growth", GC, 4, 10, "gc from 30 to 10 snapshots"),
    _fast("memory", LIST, 4, 10),
    _fast("memory", DIFF, 8, 20, "diff of two snapshots"),
    _fast("binary", FIRST, 1.8, 3, "file of 2 GiB, first snapshot"),
    _fast("binary", EDITED, 3, 6, "file of 2 GiB, edited copy"),
    _low("growth", f"size after 30 days, of {_AGGRESSIVE}", size(LAST, "git", OPTIMIZED), 0.7, 0.55),
    _low("growth", "size after 30 days, of restic", size(LAST, "restic"), 0.15, None),
    _low("growth", f"size after 30 days and {_OPTIMIZE}, of {_AGGRESSIVE}", size(OPTIMIZED, "git"), 0.5, 0.4),
    _low("history", f"size after 60 states, of {_AGGRESSIVE}", size(LAST, "git", OPTIMIZED), 1, 0.8),
    _low("history", f"size after 60 states and {_OPTIMIZE}, of {_AGGRESSIVE}", size(OPTIMIZED, "git"), 0.8, 0.5),
    _low("memory", "peak memory", peak_memory(), 100 * _MB, 60 * _MB, show=megabytes),
    _low("growth", f"peak memory, {_OPTIMIZE} and gc among it", peak_memory(), 100 * _MB, 60 * _MB, show=megabytes),
    _low("many-files", "peak memory, 1,000,000 files", peak_memory_at(_MANY), 150 * _MB, 60 * _MB, show=megabytes),
    _low("many-snapshots", "peak memory in the end, of that at first", memory_of_first(SNAPSHOT), 1.1, None),
    _low("startup", f"250 entities, {UNCHANGED}, whole process", wall(UNCHANGED), 0.100, 0.060, show=milliseconds),
    _low("startup", f"`icc-store {HELP}`", wall(HELP), 0.060, 0.040, show=milliseconds),
    _low("many-snapshots", "time of a snapshot in the end, of that at first", last_of_first(SNAPSHOT), 1.1, None),
    _low("many-files", "first snapshot of 1,000,000 files, of linear", linear(FIRST, 100_000, _MANY), 1.3, None),
)


def verdicts(results: Iterable[ScenarioResult]) -> list[Verdict]:
    """Judge every target, each on the largest scenario that it is about."""
    known = sorted(results, key=lambda result: _number(result.scenario), reverse=True)
    return [_judge(target, known) for target in TARGETS]


def _judge(target: Target, results: Iterable[ScenarioResult]) -> Verdict:
    for result in results:
        if result.scenario.startswith(target.family):
            measured = target.figure(result)
            if measured is not None:
                return Verdict(target, result.scenario, measured)
    return Verdict(target, target.family, None)


def _number(scenario: str) -> int:
    found = re.search(r"\d+$", scenario)
    return int(found[0]) if found else 0
