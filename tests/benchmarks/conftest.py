"""Results of scenarios that nobody had to run, and a repository with a history."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.results import FloorSample, Sample, ScenarioResult, SizeSample

MakeResult = Callable[..., ScenarioResult]


@pytest.fixture
def made_up() -> MakeResult:
    """Make a result from `{operation: {peer: wall seconds}}`, `{moment: {peer: bytes}}` and `{floor: seconds}`."""

    def make(
        scenario: str,
        walls: dict[str, dict[str, float]] | None = None,
        sizes: dict[str, dict[str, int]] | None = None,
        floors: dict[str, float] | None = None,
        *,
        memory: int = 50 << 20,
    ) -> ScenarioResult:
        return ScenarioResult(
            scenario,
            {"started": "2026-01-02T03:04:05+00:00"},
            [
                Sample(operation, peer, 1, wall, wall / 2, memory)
                for operation, row in (walls or {}).items()
                for peer, wall in row.items()
            ],
            [
                SizeSample(moment, peer, 1, size, size)
                for moment, row in (sizes or {}).items()
                for peer, size in row.items()
            ],
            [],
            [FloorSample(step, 1, wall, wall) for step, wall in (floors or {}).items()],
        )

    return make


def git(repository: Path, *argv: str) -> str:
    person = ("-c", "user.name=Somebody", "-c", "user.email=somebody@localhost")
    done = subprocess.run(["git", "-C", repository, *person, *argv], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository of five commits, in which a file changes, one comes and one goes."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    for number in range(5):
        (root / "changes.txt").write_text(f"state {number}")
        (root / "stays.txt").write_text("always")
        (root / f"only-{number}.txt").write_text("here today")
        (root / f"only-{number - 1}.txt").unlink(missing_ok=True)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", f"{number}")
    return root
