"""Time as it comes in, and as it is written."""

from __future__ import annotations

import pytest

from icc_store.clock import SECOND_NS, FixedClock, utc_text


def test_a_fixed_clock_moves_by_sleeping() -> None:
    """It stands still until somebody sleeps, and both of its times move then."""
    clock = FixedClock(5 * SECOND_NS)
    assert (clock.now_ns(), clock.monotonic()) == (5 * SECOND_NS, 5.0)
    clock.sleep(1.5)
    assert (clock.now_ns(), clock.monotonic()) == (6_500_000_000, 6.5)


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_748_937_600_999_999_999, "2025-06-03T08:00:00Z"),
        (-1, "1969-12-31T23:59:59Z"),
        (1 << 90, f"@{(1 << 90) // SECOND_NS}"),
    ],
)
def test_a_time_as_text(time_ns: int, text: str) -> None:
    """Whole seconds in UTC, and a text also for what is in no calendar: a repository may hold anything."""
    assert utc_text(time_ns) == text
