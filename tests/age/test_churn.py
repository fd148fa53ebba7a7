"""What a repository needs on the disk after months of change and retention."""

from __future__ import annotations

import pytest

from icc_store.opening import compact_if_alone
from tests.age.churn import live
from tests.power.replay import quick_place

BOUND = 1.3


@pytest.mark.slow
def test_space_after_months() -> None:
    """Its pages are at most 1.3 times those of a fresh repository with the same snapshots, though it was always in use.

    Once it is let alone for a moment, its file is at most 1.3 times as long as well.
    """
    with quick_place() as top:
        year = live(top, entities=15, days=150, seed=1, alone=False)
        compact_if_alone(top / "churned")
        file = (top / "churned" / "data.mdb").stat().st_size
    assert year.snapshots > 90
    assert year.ratio < BOUND, year
    assert file < BOUND * year.fresh.file, year
