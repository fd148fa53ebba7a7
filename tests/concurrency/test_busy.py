"""Locks: who waits is told for whom, nobody waits for ever, and nobody waits for the dead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icc_store.errors import BusyError
from icc_store.monitor import Monitor
from icc_store.opening import USE_LOCK, WRITE_LOCK, create_repository, open_repository
from icc_store.store.locks import FileLock
from tests.support.live import fill, snap
from tests.support.program import Program

_HOLD = """
# a-command-to-know-it-by
import sys
from pathlib import Path
from icc_store.store.locks import FileLock
with FileLock(Path(sys.argv[1])).held(shared=sys.argv[2] == "shared"):
    print("held", flush=True)
    sys.stdin.read()
"""
_IMPATIENT = """
import icc_store.limits
icc_store.limits.LOCK_TIMEOUT = 0.3
from icc_store.cli.main import main
main()
"""


@contextmanager
def holder(lock: Path, *, shared: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that holds a lock as long as the body runs."""
    command = [sys.executable, "-c", _HOLD, str(lock), "shared" if shared else "alone"]
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with subprocess.Popen(command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_repository(tmp_path / "r")
    fill(tmp_path / "source", {"a": b"1"})
    return tmp_path / "r"


def test_the_write_lock_is_waited_for_so_long(path: Path, tmp_path: Path) -> None:
    """A snapshot that cannot write gives up after its timeout and names pid and command of who can."""
    told: list[str] = []

    class Told(Monitor):
        def waiting(self, holder: str) -> None:
            told.append(holder)

    with holder(path / WRITE_LOCK) as process:
        before = time.monotonic()
        with pytest.raises(BusyError) as caught, open_repository(path, timeout=0.3, monitor=Told()):
            pass
        assert 0.3 <= time.monotonic() - before < 3.0
        for text in (caught.value.message, *told):
            assert f"pid {process.pid}: -c" in text
        assert len(told) == 1
    with open_repository(path, timeout=0.3) as repository:
        snap(repository, tmp_path / "source")


def test_a_compaction_says_who_has_the_repository_open(path: Path) -> None:
    """Whoever needs the repository alone is told who uses it, and not who had it alone before."""
    with FileLock(path / USE_LOCK).held():
        pass
    with holder(path / USE_LOCK, shared=True) as process:
        wait = open_repository(path, timeout=0.2, exclusive=True)
        with pytest.raises(BusyError, match=f"pid {process.pid}: .*a-command-to-know-it-by"), wait:
            pass
        with open_repository(path, timeout=0.2):
            pass
    with open_repository(path, timeout=0.2, exclusive=True):
        pass


def test_nobody_waits_for_the_dead(path: Path, tmp_path: Path) -> None:
    """A process that was killed while it held every lock blocks nobody."""
    with holder(path / WRITE_LOCK) as first, holder(path / USE_LOCK) as second:
        for process in (first, second):
            process.send_signal(signal.SIGKILL)
            process.wait()
        with open_repository(path, timeout=0.0, exclusive=True) as repository:
            snap(repository, tmp_path / "source")


def test_busy_is_exit_code_5(path: Path, tmp_path: Path) -> None:
    """The program ends with 5 and one line when somebody else holds the repository; looking needs no lock."""
    program = Program(path)
    environ = program.environ
    with holder(path / WRITE_LOCK) as process:
        command = [sys.executable, "-c", _IMPATIENT, "--repo", str(path), "snapshot", str(tmp_path / "source")]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 5
        assert f"pid {process.pid}" in done.stderr.splitlines()[-1]
        assert "Traceback" not in done.stderr
        assert program("list").code == 0
