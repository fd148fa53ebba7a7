"""How long each target has been fuzzed, over all runs: one line of JSON per run, beside the kept inputs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Run:
    """One run of one target. `cpu` is seconds of the processor; edges and features are 0 for the built-in engine."""

    target: str
    engine: str
    code: str
    """Digest of the code under test, as `fuzz.target.code_of` makes it."""
    cpu: float
    inputs: int
    edges: int = 0
    features: int = 0
    kept: int = 0
    held: bool = True


class Ledger:
    """The runs in a file, which may not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path.exists() else []
        self.runs = [Run(**json.loads(line)) for line in lines]

    def add(self, run: Run) -> None:
        """Note one more run."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps(asdict(run)) + "\n")
        self.runs.append(run)

    def cpu_seconds(self, target: str, code: str) -> float:
        """How long this code has been fuzzed."""
        return sum(run.cpu for run in self.runs if (run.target, run.code) == (target, code))

    def table(self, codes: dict[str, str]) -> Iterable[str]:
        """Lines of Markdown: for each target (and its present code) what all of its runs came to."""
        yield "| target | CPU minutes | on this very code | inputs | edges | features | inputs kept |"
        yield "|---|---|---|---|---|---|---|"
        minutes = 0.0
        inputs = 0
        for target, code in sorted(codes.items()):
            runs = [run for run in self.runs if run.target == target]
            minutes += (total := sum(run.cpu for run in runs) / 60)
            inputs += (fed := sum(run.inputs for run in runs))
            last = next((run for run in reversed(runs) if run.edges), None)
            reached = f"{last.edges} | {last.features} | {last.kept}" if last else "| |"
            yield f"| `{target}` | {total:.1f} | {self.cpu_seconds(target, code) / 60:.1f} | {fed:,} | {reached} |"
        yield f"| together | {minutes:.1f} | | {inputs:,} | | | |"
