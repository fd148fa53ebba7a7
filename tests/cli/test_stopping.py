"""A request to stop wakes who sleeps, and interrupts nobody who works."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from icc_store.cli.stopping import StopRequest
from icc_store.clock import SYSTEM_CLOCK
from tests.support.live import within


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_request(number: signal.Signals) -> None:
    """It raises nothing, is seen, and a sleep that would be long is short from then on."""
    before = signal.getsignal(number)
    with StopRequest(SYSTEM_CLOCK) as stop, within(20):
        assert not stop.is_requested()
        stop.sleep(0.001)
        os.kill(os.getpid(), number)
        assert stop.is_requested()
        stop.sleep(1000)
        stop.sleep(1000)
    assert signal.getsignal(number) is before


def test_a_sleeper_wakes() -> None:
    """The request ends a sleep that has begun."""
    with StopRequest(SYSTEM_CLOCK) as stop, within(20):
        later = threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM))
        later.start()
        stop.sleep(1000)
        later.join()
        assert stop.is_requested()


def test_the_second_one_interrupts() -> None:
    """Who does not want to wait for what is pending asks again."""
    with StopRequest(SYSTEM_CLOCK):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_time_is_that_of_its_clock() -> None:
    """It stands in for the clock it was given."""
    with StopRequest(SYSTEM_CLOCK) as stop:
        assert abs(stop.monotonic() - SYSTEM_CLOCK.monotonic()) < 60
        assert abs(stop.now_ns() - SYSTEM_CLOCK.now_ns()) < 60 * 10**9
