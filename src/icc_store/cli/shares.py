"""Shares as people write them: `5%`."""

from __future__ import annotations

from icc_store.errors import UsageError

_MOST = 500


def permille_of(text: str) -> int:
    """`5%` or `2.5%` in thousandths. Raises UsageError."""
    number = text.strip().removesuffix("%")
    try:
        permille = round(float(number) * 10)
    except (ValueError, OverflowError):
        permille = 0
    if not 0 < permille <= _MOST:
        raise UsageError(f"{text!r} is no share of damage", hint="write one from 0.1% to 50%; 5% is usual")
    return permille


def percent(permille: int) -> str:
    """Thousandths as people read them."""
    return f"{permille / 10:g}%"
