"""Work in a child process: what it returns, raises and says arrives; what kills it is told."""

from __future__ import annotations

import os
import signal

import pytest

from icc_store.cli.in_child import ChildCrashed, in_child
from icc_store.clock import SYSTEM_CLOCK
from icc_store.errors import BusyError, WorkerKilled
from icc_store.monitor import Monitor


class Listener(Monitor):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.files = self.size = 0

    def phase(self, name: str) -> None:
        self.heard.append(name)

    def note(self, message: str) -> None:
        self.heard.append(message)

    def advance(self, files: int, size: int, path: bytes) -> None:
        self.files += files
        self.size += size
        self.heard.append(path)


def test_what_it_says_arrives() -> None:
    """Phases, notes and all that was counted, in order; and the result, from another process."""

    def work(monitor: Monitor) -> int:
        monitor.phase("one")
        for number in range(1000):
            monitor.advance(1, 10, b"%d" % number)
        monitor.note("two")
        return os.getpid()

    listener = Listener()
    assert in_child(work, listener, SYSTEM_CLOCK) != os.getpid()
    assert (listener.files, listener.size) == (1000, 10_000)
    assert listener.heard[0] == "one"
    assert listener.heard[-2:] == [b"999", "two"]
    assert len(listener.heard) < 500


def test_an_error_is_raised_again() -> None:
    """With its class, its message, its advice, and where it happened."""

    def work(_monitor: Monitor) -> None:
        raise BusyError("busy", hint="wait")

    with pytest.raises(BusyError, match="busy") as caught:
        in_child(work, Monitor(), SYSTEM_CLOCK)
    assert caught.value.hint == "wait"
    assert "in work" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("number", "error"),
    [(signal.SIGSEGV, ChildCrashed), (signal.SIGABRT, ChildCrashed), (signal.SIGKILL, WorkerKilled)],
)
def test_a_crash_is_told(number: signal.Signals, error: type[Exception]) -> None:
    """A crash is damage; being killed is not."""

    def work(_monitor: Monitor) -> None:
        signal.signal(number, signal.SIG_DFL) if number is not signal.SIGKILL else None
        os.kill(os.getpid(), number)

    with pytest.raises(error, match=number.name):
        in_child(work, Monitor(), SYSTEM_CLOCK)
