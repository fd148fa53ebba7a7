"""Locks that the kernel releases when their holder dies, so that no lock file ever has to be deleted by hand.

A lock is `flock` on a small file. Who holds it is said by the kernel, in /proc/locks, and else by the file: there each
exclusive holder leaves its pid and command, which is only for messages.
Waiting polls, so that it can be interrupted, ends after a timeout, and says whom it waits for.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import BusyError
from icc_store.limits import LOCK_POLL, LOCK_TIMEOUT
from icc_store.monitor import SILENT, Monitor

_HOLDER_SIZE = 400


class FileLock:
    """One lock file. `shared` locks exclude only exclusive ones."""

    def __init__(
        self, path: Path, *, timeout: float = LOCK_TIMEOUT, monitor: Monitor = SILENT, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.path = path
        self._timeout = timeout
        self._monitor = monitor
        self._clock = clock

    @contextmanager
    def held(self, *, shared: bool = False) -> Iterator[int]:
        """Hold the lock in the body; yields the descriptor. Raises BusyError after the timeout."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._wait(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
            if not shared:
                _sign(descriptor)
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int, mode: int) -> None:
        deadline = self._clock.monotonic() + self._timeout
        told = False
        while True:
            try:
                fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
            holder = holder_of(descriptor)
            if not told and self._timeout > 0:
                self._monitor.waiting(holder)
                told = True
            if self._clock.monotonic() >= deadline:
                raise BusyError(
                    f"the repository is in use by {holder}", hint="wait for it to finish and run the command again"
                )
            self._clock.sleep(LOCK_POLL)


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at `path` (at least shared)."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_of(descriptor: int) -> str:
    """Pid and command of the holders, as the kernel says, or of the last exclusive one, as it wrote them."""
    text = os.pread(descriptor, _HOLDER_SIZE, 0).decode("utf-8", "replace").strip()
    pids = _holders(os.fstat(descriptor).st_ino)
    if not pids or any(text.startswith(f"pid {pid}:") for pid in pids):
        return text or "another process"
    return " and ".join(f"pid {pid}: {_command(pid)}" for pid in pids)[:_HOLDER_SIZE]


def _holders(inode: int) -> list[int]:
    """The processes that hold a lock of our kind on the file with this inode, as far as they can be seen from here."""
    try:
        lines = Path("/proc/locks").read_text("ascii").splitlines()
    except OSError:
        return []  # no such file here: the text in the lock file has to do
    # 1: FLOCK  ADVISORY  WRITE 18208 fe:00:2146334 0 EOF; a waiting one has "->" before FLOCK
    held = [fields for fields in map(str.split, lines) if len(fields) > 5 and fields[1] == "FLOCK"]
    return [int(fields[4]) for fields in held if fields[5].endswith(f":{inode}") and int(fields[4]) > 0]


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "a process of somebody else's"
    return " ".join(b" ".join(words).decode("utf-8", "replace").split())[: _HOLDER_SIZE // 2]


def _sign(descriptor: int) -> None:
    command = " ".join(sys.argv)[: _HOLDER_SIZE // 2]
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"pid {os.getpid()}: {command}\n".encode("utf-8", "surrogateescape"), 0)
