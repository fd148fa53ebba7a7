"""A request to stop that interrupts nothing but waiting: for commands that run until they are told not to."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any, Self

from icc_store.clock import Clock

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequest:
    """In its body, the first signal is a request, told by `is_requested`; a second one ends the process as ever.

    It is a clock as well, whose `sleep` ends when the request comes. A byte in a pipe wakes it, since a flag that is
    looked at before sleeping could be raised in between.
    """

    def __init__(self, clock: Clock) -> None:
        self._requested = False
        self._clock = clock
        self._read, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        os.close(self._read)
        os.close(self._write)

    def is_requested(self) -> bool:
        """Whether it came."""
        return self._requested

    def now_ns(self) -> int:
        """As the clock says."""
        return self._clock.now_ns()

    def monotonic(self) -> float:
        """As the clock says."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, but no longer than until the request comes."""
        select.select([self._read], [], [], seconds)

    def _hear(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
        os.write(self._write, b"\0")
        self._restore()

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        self._before.clear()
