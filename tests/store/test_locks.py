"""Locks that die with their holder."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from icc_store.errors import BusyError
from icc_store.monitor import Monitor
from icc_store.store.locks import FileLock, holder_of, is_held

HOLD = """
import sys, pathlib
from icc_store.store.locks import FileLock
with FileLock(pathlib.Path(sys.argv[1])).held(shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""


class Listener(Monitor):
    """Remembers whom one waited for."""

    def __init__(self) -> None:
        self.holders: list[str] = []

    def waiting(self, holder: str) -> None:
        self.holders.append(holder)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


def holder(path: Path, how: str = "alone") -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, os.fspath(path), how], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def release(process: subprocess.Popen[str]) -> None:
    process.communicate(timeout=10)


def test_a_lock_is_held_and_given_back(path: Path) -> None:
    """It is free before and after, its file stays and says who had it."""
    assert not is_held(path)
    with FileLock(path).held() as descriptor:
        assert is_held(path)
        assert holder_of(descriptor).startswith(f"pid {os.getpid()}: ")
    assert not is_held(path)
    assert path.exists()
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_holder_at_a_time(path: Path) -> None:
    """A second one gives up after its time and names the first."""
    process = holder(path)
    start = time.monotonic()
    with pytest.raises(BusyError, match=f"pid {process.pid}"), FileLock(path, timeout=0.2).held():
        pass
    assert 0.2 <= time.monotonic() - start < 5
    release(process)
    with FileLock(path, timeout=0).held():
        pass


def test_waiting_is_told_once_and_ends(path: Path) -> None:
    """Who waits says for whom, and goes on as soon as the lock is free."""
    process = holder(path)
    listener = Listener()
    threading.Timer(0.3, release, [process]).start()
    with FileLock(path, timeout=10, monitor=listener).held():
        pass
    assert len(listener.holders) == 1
    assert f"pid {process.pid}" in listener.holders[0]


def test_a_lock_dies_with_its_holder(path: Path) -> None:
    """After kill -9 nothing has to be cleaned up."""
    process = holder(path)
    process.kill()
    process.communicate(timeout=10)
    with FileLock(path, timeout=1).held():
        pass


def test_shared_locks_exclude_only_exclusive_ones(path: Path) -> None:
    """Many may use a repository at once; who needs it alone waits for all."""
    process = holder(path, "shared")
    with FileLock(path, timeout=0).held(shared=True), pytest.raises(BusyError), FileLock(path, timeout=0.1).held():
        pass
    release(process)
    with FileLock(path, timeout=0).held():
        pass
    process = holder(path)
    with pytest.raises(BusyError), FileLock(path, timeout=0.1).held(shared=True):
        pass
    release(process)


def test_an_error_gives_the_lock_back(path: Path) -> None:
    """Whatever happens while it is held, the lock is free afterwards."""
    with pytest.raises(KeyError), FileLock(path).held():
        raise KeyError
    assert not is_held(path)


def test_a_lock_is_not_handed_down(path: Path) -> None:
    """A child process that lives longer than its parent's work does not keep the lock."""
    with FileLock(path).held():
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not is_held(path)
    child.communicate(b"\n", timeout=10)
