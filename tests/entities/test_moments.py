"""Dates as memories write them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.entities.moments import moment


def test_a_date_alone_is_the_start_of_that_day_in_utc() -> None:
    """All spellings of one moment are that moment."""
    start = moment("2025-06-01")
    assert start is not None
    for text in ("2025-06-01T00:00:00Z", "2025-06-01T00:00", "2025-06-01 00:00:00.000", "2025-06-01T02:00:00+02:00"):
        assert moment(text) == start
    later = moment("2025-06-01T00:00:00.5Z")
    assert later is not None
    assert later > start


@pytest.mark.parametrize(
    "text", ["", "2025", "20250601", "2025-13-01", "2025-06-01T", "yesterday", "2025-W01-1", None, 20250601, True, []]
)
def test_what_is_no_date(text: object) -> None:
    """Anything else is no moment, and no error."""
    assert moment(text) is None


@given(st.datetimes(), st.text(alphabet="0123456789-:TZ+. ", max_size=30))
def test_every_date_is_read_and_any_two_can_be_compared(time: datetime, text: str) -> None:
    """What Python writes is read; what else is taken for a date can be ordered with it."""
    one, other = moment(time.isoformat()), moment(text)
    assert one is not None
    assert one.replace(tzinfo=None) == time
    assert other is None or (one < other) + (one == other) + (one > other) == 1
