"""What was measured, and how it is kept."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any


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

    def operations(self) -> list[str]:
        """Return the operations in the order in which they were first measured."""
        return list(dict.fromkeys(sample.operation for sample in self.samples))

    def moments(self) -> list[str]:
        """Return the moments at which sizes were taken, in order."""
        return list(dict.fromkeys(sample.moment for sample in self.sizes))

    def wall(self, operation: str, peer: str) -> float | None:
        """Return the median wall time in seconds; None where nothing was measured."""
        return _median(sample.wall for sample in self._of(operation, peer))

    def cpu(self, operation: str, peer: str) -> float | None:
        """Return the median CPU time in seconds."""
        return _median(sample.cpu for sample in self._of(operation, peer))

    def peak_memory(self, operation: str, peer: str) -> float | None:
        """Return the highest peak of any run, in bytes."""
        return max((float(sample.peak_memory) for sample in self._of(operation, peer)), default=None)

    def size(self, moment: str, peer: str) -> float | None:
        """Return the median of the bytes taken on the disk."""
        return _median(s.allocated for s in self.sizes if (s.moment, s.peer) == (moment, peer))

    def _of(self, operation: str, peer: str) -> Iterator[Sample]:
        return (sample for sample in self.samples if (sample.operation, sample.peer) == (operation, peer))

    def write(self, path: Path, machine: dict[str, Any]) -> None:
        """Write everything as JSON."""
        document = {"schema": 1, "machine": machine, **asdict(self)}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document, indent=1) + "\n")


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return median(found) if found else None
