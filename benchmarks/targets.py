"""What icc-store is to reach, as ratios to other programs in the same run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.peers import OURS, REFERENCES
from benchmarks.results import ScenarioResult
from benchmarks.scenarios.growth import LAST_DAY, OPTIMIZED
from benchmarks.scenarios.memory import FIRST, RESTORE, UNCHANGED

STATED_FOR = 100_000
"""The number of entities that targets are stated for."""


@dataclass(frozen=True)
class Verdict:
    """A target with what was measured; `met` is None where it could not be judged."""

    target: str
    measured: str
    met: bool | None


class Target(Protocol):
    """One figure to reach in the scenarios whose name begins with `family`."""

    @property
    def family(self) -> str: ...

    def judge(self, result: ScenarioResult) -> Verdict:
        """Compare one scenario's figures with the target."""


@dataclass(frozen=True)
class Faster:
    """At least `ratio` times as fast as the faster of the reference peers."""

    family: str
    operation: str
    ratio: float

    def judge(self, result: ScenarioResult) -> Verdict:
        text = f"{self.operation} at least {self.ratio:g}x as fast as the faster of {' and '.join(REFERENCES)}"
        found = speed_ratio(result, self.operation, OURS)
        return Verdict(text, _times(found), None if found is None else found >= self.ratio)


@dataclass(frozen=True)
class Smaller:
    """At most `ratio` of another peer's repository at one moment."""

    family: str
    peer: str
    moment: str
    ratio: float

    def judge(self, result: ScenarioResult) -> Verdict:
        ours, theirs = (result.size(self.moment, peer) for peer in (OURS, self.peer))
        found = ours / theirs if ours is not None and theirs else None
        text = f"repository {self.moment} at most {self.ratio:g}x that of {self.peer}"
        return Verdict(text, _times(found), None if found is None else found <= self.ratio)


@dataclass(frozen=True)
class PeakMemory:
    """Private memory under `limit` bytes in every operation."""

    family: str
    limit: int

    def judge(self, result: ScenarioResult) -> Verdict:
        peaks = {operation: result.peak_memory(operation, OURS) for operation in result.operations()}
        known = {operation: peak for operation, peak in peaks.items() if peak is not None}
        text = f"peak memory under {self.limit >> 20} MB"
        if not known:
            return Verdict(text, "-", None)
        worst = max(known, key=known.__getitem__)
        return Verdict(text, f"{known[worst] / 2**20:.0f} MB ({worst})", known[worst] < self.limit)


@dataclass(frozen=True)
class Within:
    """Wall time under `limit` seconds."""

    family: str
    operation: str
    limit: float

    def judge(self, result: ScenarioResult) -> Verdict:
        found = result.wall(self.operation, OURS)
        text = f"{self.operation} under {self.limit * 1000:.0f} ms"
        if found is None:
            return Verdict(text, "-", None)
        return Verdict(text, f"{found * 1000:.0f} ms", found < self.limit)


TARGETS: Sequence[Target] = (
    Faster("memory", FIRST, 2.0),
    Faster("memory", UNCHANGED, 5.0),
    Faster("memory", RESTORE, 1.5),
    PeakMemory("memory", 150 << 20),
    PeakMemory("growth", 150 << 20),
    Smaller("growth", "restic", LAST_DAY, 0.3),
    Smaller("growth", "git", OPTIMIZED, 0.8),
    Within("startup", UNCHANGED, 0.120),
)


def speed_ratio(result: ScenarioResult, operation: str, peer: str) -> float | None:
    """Return how many times as fast `peer` was as the faster reference peer."""
    own = result.wall(operation, peer)
    others = [wall for wall in (result.wall(operation, other) for other in REFERENCES) if wall is not None]
    return min(others) / own if own and others else None


def verdicts(results: Iterable[ScenarioResult]) -> list[tuple[str, Verdict]]:
    """Judge every target on every scenario it is about; return them with the scenario's name."""
    return [
        (result.scenario, target.judge(result))
        for result in results
        for target in TARGETS
        if result.scenario.startswith(target.family)
    ]


def _times(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.2f}x"
