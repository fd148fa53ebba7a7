"""Time comes in as an argument: everything that needs the hour asks a Clock."""

from __future__ import annotations

import time
from typing import Protocol

from icc_store.quick_dataclass import dataclass

SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS


class Clock(Protocol):
    """What the project needs to know of time."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC, by the wall clock."""

    def monotonic(self) -> float:
        """Seconds that never run backwards, for durations and waiting."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


@dataclass
class FixedClock:
    """A clock that stands still until it is told to move."""

    ns: int

    def now_ns(self) -> int:
        return self.ns

    def monotonic(self) -> float:
        return self.ns / 1e9

    def sleep(self, seconds: float) -> None:
        self.ns += int(seconds * 1e9)


SYSTEM_CLOCK = SystemClock()


def utc_text(time_ns: int) -> str:
    """`2025-06-03T08:00:00Z`, as memories and logs write it; `@` and seconds since 1970 where no calendar reaches."""
    seconds = time_ns // SECOND_NS
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return f"@{seconds}"
