"""docs/settings.md says what the program does."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path

from icc_store.config.settings import ZSTD_LEVELS
from icc_store.entities.settings import MemorySettings

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")


def test_every_key_and_its_default() -> None:
    """The table has the keys in their order, with the defaults as they are in JSON; the last is the program's own."""
    table = PAGE.partition("## Keys")[2].partition("A megabyte")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", table, re.MULTILINE))
    expected = {
        key: f"`{value}`" if isinstance(value, str) else json.dumps(value)
        for key, value in asdict(MemorySettings()).items()
    }
    assert rows.pop("temp_directory") == "`$XDG_CACHE_HOME/icc-store/tmp`"
    assert rows == {key: value for key, value in expected.items() if key != "temp_directory"}


def test_the_levels() -> None:
    """The page shows the same zstd levels as `icc-store config`."""
    assert f"| zstd level | {' | '.join(map(str, ZSTD_LEVELS.values()))} |" in PAGE
