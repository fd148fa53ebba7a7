"""What most operations are tested on: an empty repository, opened, under a clock that the test moves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from tests.support.live import new_clock


@pytest.fixture
def clock() -> FixedClock:
    """The hour of these tests."""
    return new_clock()


@pytest.fixture
def repository(tmp_path: Path, clock: FixedClock) -> Iterator[Repository]:
    """Open for writing, in `tmp_path / "repository"`."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=clock) as opened:
        yield opened
