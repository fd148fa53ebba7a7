"""What a repository needs on the disk after months of change and retention."""

from __future__ import annotations

import pytest

from tests.age.churn import live
from tests.power.replay import quick_place


@pytest.mark.slow
def test_space_after_half_a_year() -> None:
    """Compacted each week, its pages are at most 1.3 times those of a fresh repository with the same snapshots."""
    with quick_place() as top:
        year = live(top, entities=15, days=180, compact=True, seed=1)
    assert year.snapshots > 90
    assert year.ratio < 1.3, year
    assert year.file_ratio < 1.3, year
