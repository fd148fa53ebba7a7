"""Sizes, times and counts as they are shown."""

from __future__ import annotations

import pytest

from icc_store.cli import units

TIME = 1_793_534_400_123_456_789
GIB = 1 << 30


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (99_900, "97.6 KiB"),
        (102_400, "100 KiB"),
        (1023 * 1024, "1.0 MiB"),
        (5 * GIB, "5.0 GiB"),
        (3000 * GIB * 1024, "2.9 PiB"),
        (10**21, "888178 PiB"),
        (-2048, "-2.0 KiB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    """One to three digits before the point, in the fitting unit."""
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 ms"),
        (85_900_000, "85 ms"),
        (1_340_000_000, "1.3 s"),
        (125 * 10**9, "2 min 5 s"),
        (11_400 * 10**9, "3 h 10 min"),
    ],
)
def test_durations(ns: int, text: str) -> None:
    """The two largest units that say something."""
    assert units.duration(ns) == text


def test_times() -> None:
    """Local time to the second for people, UTC with nine digits for programs."""
    assert units.local_time(TIME) == "2026-11-01 12:00:00"
    assert units.utc_time(TIME) == "2026-11-01T12:00:00.123456789Z"
    assert units.utc_time(-1) == "1969-12-31T23:59:59.999999999Z"


@pytest.mark.parametrize("ns", [10**40, -(10**40)])
def test_times_beyond_every_calendar(ns: int) -> None:
    """A file may have any time; one that no calendar has is shown as seconds."""
    assert units.local_time(ns) == f"@{ns // 10**9}"
    assert units.utc_time(ns).startswith(f"@{ns // 10**9}.")
    assert units.utc_time(1 << 75).startswith("@37778931862957.")


def test_early_years_have_four_digits() -> None:
    """RFC 3339 wants four digits of a year."""
    assert units.utc_time(-62_000_000_000 * 10**9) == "0005-04-19T09:46:40.000000000Z"


def test_counts() -> None:
    """Thousands are set apart, one is not many, and nothing is divided by zero."""
    assert units.plural(1, "file") == "1 file"
    assert units.plural(1234, "directory", "directories") == "1,234 directories"
    assert units.share(1, 3) == "33.3 %"
    assert units.share(1, 0) == units.ratio(1, 0) == "-"
    assert units.ratio(10, 4) == "2.5x"
