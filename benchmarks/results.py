"""What was measured, and how it is kept."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

SCHEMA = 2
_NUMBERED = re.compile(r"after \w+ (\d+)$")


@dataclass(frozen=True)
class Sample:
    """One operation of one peer, measured once."""

    operation: str
    peer: str
    run: int
    wall: float
    cpu: float
    peak_memory: int


@dataclass(frozen=True)
class FloorSample:
    """The least that one step can cost on the same data, measured once."""

    step: str
    run: int
    wall: float
    cpu: float


@dataclass(frozen=True)
class SizeSample:
    """What a peer's repository took at one moment, in bytes."""

    moment: str
    peer: str
    run: int
    apparent: int
    allocated: int


@dataclass(frozen=True)
class Problem:
    """An operation that failed, or gave back other bytes than it was given."""

    operation: str
    peer: str
    run: int
    text: str


@dataclass
class ScenarioResult:
    """All that one scenario measured."""

    scenario: str
    facts: dict[str, Any]
    samples: list[Sample] = field(default_factory=list)
    sizes: list[SizeSample] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    floors: list[FloorSample] = field(default_factory=list)

    def operations(self) -> list[str]:
        """Return the operations in the order in which they were first measured."""
        return list(dict.fromkeys(sample.operation for sample in self.samples))

    def moments(self) -> list[str]:
        """Return the moments at which sizes were taken, in order."""
        return list(dict.fromkeys(sample.moment for sample in self.sizes))

    def steps(self) -> list[str]:
        """Return the floors that were measured, in order."""
        return list(dict.fromkeys(sample.step for sample in self.floors))

    def wall(self, operation: str, peer: str) -> float | None:
        """Return the median wall time in seconds; None where nothing was measured."""
        return _median(sample.wall for sample in self.of(operation, peer))

    def cpu(self, operation: str, peer: str) -> float | None:
        """Return the median CPU time in seconds."""
        return _median(sample.cpu for sample in self.of(operation, peer))

    def peak_memory(self, operation: str, peer: str) -> float | None:
        """Return the highest peak of any run, in bytes; None where memory was not sampled."""
        return max((float(sample.peak_memory) for sample in self.of(operation, peer)), default=None) or None

    def size(self, moment: str, peer: str) -> float | None:
        """Return the median of the bytes taken on the disk."""
        return _median(s.allocated for s in self.sizes if (s.moment, s.peer) == (moment, peer))

    def floor_wall(self, step: str) -> float | None:
        """Return the median wall time of a floor."""
        return _median(sample.wall for sample in self.floors if sample.step == step)

    def floor_cpu(self, step: str) -> float | None:
        """Return the median CPU time of a floor."""
        return _median(sample.cpu for sample in self.floors if sample.step == step)

    def of(self, operation: str, peer: str) -> Iterator[Sample]:
        """Yield the samples of one operation of one peer, in the order in which they were taken."""
        return (sample for sample in self.samples if (sample.operation, sample.peer) == (operation, peer))

    def growth(self, peer: str) -> list[tuple[int, int]]:
        """Return number and size for each moment that is numbered, `after day 7` being one."""
        own = [size for size in self.sizes if size.peer == peer]
        return [(number, size.allocated) for size in own if (number := moment_number(size.moment)) is not None]

    def write(self, path: Path, machine: dict[str, Any]) -> None:
        """Write everything as JSON."""
        document = {"schema": SCHEMA, "machine": machine, **asdict(self)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")


def read(path: Path) -> tuple[ScenarioResult, dict[str, Any]]:
    """Read a result back, with the machine that it was measured on."""
    document = json.loads(path.read_bytes())
    result = ScenarioResult(
        document["scenario"],
        document["facts"],
        [Sample(**row) for row in document["samples"]],
        [SizeSample(**row) for row in document["sizes"]],
        [Problem(**row) for row in document["problems"]],
        [FloorSample(**row) for row in document.get("floors", [])],  # schema 1 had none
    )
    return result, document["machine"]


def moment_number(moment: str) -> int | None:
    """Return the number of a moment in a row of them, `after day 7`; None for any other."""
    found = _NUMBERED.match(moment)
    return int(found[1]) if found else None


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None
