"""Dates as memories write them: ISO 8601 text, with or without a time and a zone."""

from __future__ import annotations

from datetime import UTC, datetime

_SHORTEST = len("2025-06-01")


def moment(text: object) -> datetime | None:
    """The moment that `2025-06-01`, `2025-06-01T12:00:00Z` and the like stand for; None for anything else.

    A date alone is the start of that day. What names no zone is UTC.
    """
    if not isinstance(text, str) or len(text) < _SHORTEST or text[4] != "-" or text[7] != "-":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
