"""What a repository needs on the disk after months of change and retention."""

from __future__ import annotations

import pytest

from tests.age.churn import live
from tests.power.replay import quick_place

BOUND = 1.3


@pytest.mark.slow
def test_space_after_months() -> None:
    """Its file is at most 1.3 times as long as that of a fresh repository with the same snapshots."""
    with quick_place() as top:
        year = live(top, entities=15, days=150, seed=1)
    assert year.snapshots > 90
    assert year.file_ratio < BOUND, year
