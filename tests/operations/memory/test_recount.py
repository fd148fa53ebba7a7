"""The entities of a source, listed once more by the rules of the scan."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.fs.excludes import Excludes
from icc_store.operations.memory.recount import Source

FILES = ("entities/Learning/a.json", "entities/Pattern/b.json", "entities/Learning/index.json", "config/c.json")


@pytest.mark.parametrize(
    ("left_out", "found"),
    [
        ([], {b"entities/Learning/a.json", b"entities/Pattern/b.json"}),
        ([b"entities/Learning"], {b"entities/Pattern/b.json"}),
        ([b"entities/Pattern/b.json"], {b"entities/Learning/a.json"}),
        ([b"entities"], set()),
    ],
)
def test_what_is_left_out_is_not_missed(tmp_path: Path, left_out: list[bytes], found: set[bytes]) -> None:
    """A file, a directory, or all entities at once: what a selection leaves out is not counted as missing."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert set(Source(tmp_path, Excludes().without(left_out), 0).entities()) == found
