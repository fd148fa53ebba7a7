"""Results of scenarios that nobody had to run."""

from __future__ import annotations

from collections.abc import Callable

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
