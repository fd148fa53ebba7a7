"""What holds for every test: no way to the user's own files, the same umask, repeatable Hypothesis runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# Repeatable, and deaf to how busy the machine is. `--hypothesis-profile=deep` searches further, from other seeds.
settings.register_profile(
    "default", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("deep", parent=settings.get_profile("default"), derandomize=False, max_examples=2000)
settings.load_profile("default")


@pytest.fixture(scope="session", autouse=True)
def _no_way_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home of their own for all tests and the processes they start: nothing of the user's is read or written."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("ICC_STORE_", "XDG_", "CLAUDE_")):
                patch.delenv(name)
        patch.setenv("HOME", str(home))
        patch.setenv("TZ", "UTC")
        patch.setenv("COLUMNS", "120")
        time.tzset()
        before = os.umask(0o022)
        yield
        os.umask(before)
