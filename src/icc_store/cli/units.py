"""Sizes, times and counts as people read them, and times as programs do."""

from __future__ import annotations

import time

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024
_BILLION = 1_000_000_000
_YEAR_0, _YEAR_10000 = -62_167_219_200, 253_402_300_800
"""Seconds since 1970 at which these years begin, UTC."""


def size(count: int) -> str:
    """Bytes in the unit that leaves one to three digits before the point: `17 B`, `1.3 KiB`, `204 MiB`."""
    if abs(count) < _STEP:
        return f"{count} B"
    value = count / _STEP
    steps = 0
    while abs(value) >= 999.5 and steps < len(_UNITS) - 1:
        value /= _STEP
        steps += 1
    return f"{value:.1f} {_UNITS[steps]}" if abs(value) < 99.95 else f"{value:.0f} {_UNITS[steps]}"


def number(count: int) -> str:
    """A count with commas between thousands."""
    return f"{count:,}"


def plural(count: int, one: str, many: str = "") -> str:
    """`1 file`, `2 files`; `many` where an s is not enough."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def local_time(time_ns: int) -> str:
    """Date and time in the time zone of this process; `@` and seconds since 1970 where no calendar reaches."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ns // _BILLION))
    except (OverflowError, ValueError, OSError):
        return f"@{time_ns // _BILLION}"


def utc_time(time_ns: int) -> str:
    """RFC 3339 in UTC with all nine digits: what JSON documents hold. `@` and seconds outside the years 0 to 9999."""
    seconds, rest = divmod(time_ns, _BILLION)
    if not _YEAR_0 <= seconds < _YEAR_10000:
        return f"@{seconds}.{rest:09d}"
    year, *others = time.gmtime(seconds)[:6]
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}".format(year, *others) + f".{rest:09d}Z"


def duration(duration_ns: int) -> str:
    """`85 ms`, `1.3 s`, `2 min 5 s`, `3 h 10 min`."""
    if duration_ns < _BILLION:
        return f"{duration_ns // 1_000_000} ms"
    if duration_ns < 60 * _BILLION:
        return f"{duration_ns / _BILLION:.1f} s"
    minutes, seconds = divmod(duration_ns // _BILLION, 60)
    if minutes < 60:
        return f"{minutes} min {seconds} s"
    return f"{minutes // 60} h {minutes % 60} min"


def share(part: int, whole: int) -> str:
    """A percentage; of nothing, a dash."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def ratio(plain: int, stored: int) -> str:
    """How many times smaller: `3.2x`; a dash where there is nothing to compare."""
    return f"{plain / stored:.1f}x" if stored else "-"
