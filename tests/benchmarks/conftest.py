"""Results of scenarios that nobody had to run, and a repository with a history."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.results import FloorSample, Sample, ScenarioResult, SizeSample

MakeResult = Callable[..., ScenarioResult]

LONG_AGO = 1_500_000_000


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


def git(repository: Path, *argv: str, when: int = LONG_AGO) -> str:
    """Run git there as somebody, at `when`, seconds since 1970."""
    person = ("-c", "user.name=Somebody", "-c", "user.email=somebody@localhost")
    environ = os.environ | {"GIT_AUTHOR_DATE": f"{when} +0000", "GIT_COMMITTER_DATE": f"{when} +0000"}
    command = ["git", "-C", str(repository), *person, *argv]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    return done.stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository of five commits of long ago, in which a file changes, one comes and one goes."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "--quiet")
    for number in range(5):
        (root / "changes.txt").write_text(f"state {number}")
        (root / "stays.txt").write_text("always")
        (root / f"only-{number}.txt").write_text("here today")
        (root / f"only-{number - 1}.txt").unlink(missing_ok=True)
        git(root, "add", "--all")
        git(root, "commit", "--quiet", "--message", f"{number}", when=LONG_AGO + number)
    return root
