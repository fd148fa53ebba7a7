"""available_memory: batches shrink with the memory there is."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.fs.available_memory import batch_bytes
from icc_store.limits import BATCH_BYTES, MIB


@pytest.mark.parametrize(
    ("available", "limit", "used", "expected"),
    [
        (8 << 30, None, None, BATCH_BYTES),
        (256 << 20, None, None, 4 * MIB),
        (8 << 20, None, None, MIB),
        (8 << 30, str(160 << 20), str(32 << 20), 2 * MIB),
        (8 << 30, "max", "1", BATCH_BYTES),
        (8 << 30, str(1 << 20), str(2 << 20), MIB),
        (None, str(192 << 20), "0", 3 * MIB),
        (None, None, None, BATCH_BYTES),
    ],
)
def test_batches_fit_the_memory(
    tmp_path: Path, available: int | None, limit: str | None, used: str | None, expected: int
) -> None:
    """The smaller of what the kernel and the control group leave; between 1 MiB and what is useful."""
    if available is not None:
        (tmp_path / "meminfo").write_text(f"MemTotal:  99 kB\nMemAvailable:   {available >> 10} kB\n")
    for name, value in (("memory.max", limit), ("memory.current", used)):
        if value is not None:
            (tmp_path / name).write_text(value + "\n")
    assert batch_bytes(tmp_path, tmp_path) == expected


def test_this_machine_says_something() -> None:
    """On Linux there is always an answer within the bounds."""
    assert MIB <= batch_bytes() <= BATCH_BYTES
