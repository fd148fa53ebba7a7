"""One recorded run for all tests of power failures."""

from __future__ import annotations

import pytest

from tests.power.recording import Recording, compiler, record_life


@pytest.fixture(scope="session")
def life(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A run of four processes, two of them killed."""
    if compiler() is None:
        pytest.skip("a C compiler is needed to record what a process writes")
    return record_life(tmp_path_factory.mktemp("life"), seed=1, deaths=2)
