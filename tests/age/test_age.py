"""What time does to a repository."""

from __future__ import annotations

import pytest

from tests.age.life import grow_old
from tests.power.replay import quick_place


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_growing_old(seed: int) -> None:
    """Through weeks of changes, deaths, damage and jumping clocks every snapshot holds what its plain copy holds."""
    with quick_place() as top:
        done = grow_old(top, seed, days=25)
    assert done["days"] == 25
