"""A home directory, in which there may be a config.toml."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user who has set nothing yet."""
    return tmp_path
