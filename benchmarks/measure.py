"""Run one command and say what it cost: wall time, CPU time, peak private memory.

Memory is the sum over the process tree of anonymous and shared pages (`RssAnon + RssShmem`), sampled
about every 10 ms. Mapped file pages are left out: they are page cache that the kernel can drop, and
counting them would charge a program for reading through `mmap` what another reads through `read`.
Where there are several processes, pages that they share count once in all (`Pss_Anon + Pss_Shmem`); the
kernel must walk all pages for that, so it is asked every 50 ms only.
"""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_INTERVAL = 0.01
TREE_SAMPLE_INTERVAL = 0.05
STDERR_TAIL = 2_000


@dataclass(frozen=True)
class Command:
    """A program to run: arguments, environment (complete, not additions), where stdout goes.

    `warnings` are exit statuses by which the program says that it did the work and noticed something on the way.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path | None = None
    stdout: Path | None = None
    warnings: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Measurement:
    """What a command cost; `peak_memory` in bytes, 0 where it was not sampled."""

    wall: float
    cpu: float
    peak_memory: int
    status: int
    stderr: str = field(default="", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the command said that it succeeded."""
        return self.status == 0

    def __add__(self, later: "Measurement") -> "Measurement":
        return Measurement(
            self.wall + later.wall,
            self.cpu + later.cpu,
            max(self.peak_memory, later.peak_memory),
            self.status or later.status,
            self.stderr + later.stderr,
        )


class MemorySampler:
    """Samples the private memory of a process tree in a thread until stopped."""

    def __init__(self, root_pid: int) -> None:
        self.peak = 0
        self._root = root_pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """End sampling and return the peak in bytes."""
        self._stop.set()
        self._thread.join()
        return self.peak

    def _run(self) -> None:
        while True:
            pids = list(process_tree(self._root))
            alone = len(pids) == 1
            self.peak = max(self.peak, sum(map(private_memory if alone else share_of_memory, pids)))
            if self._stop.wait(SAMPLE_INTERVAL if alone else TREE_SAMPLE_INTERVAL):
                return


def process_tree(root: int) -> Iterator[int]:
    """Yield `root` and its living descendants."""
    pending = [root]
    while pending:
        pid = pending.pop()
        yield pid
        pending.extend(_children(pid))


def _children(pid: int) -> list[int]:
    # The kernel's own child lists, one per thread: a scan of all of /proc for parent ids took 20 times as long.
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as listing:
                found.extend(map(int, listing.read().split()))
    except OSError:
        pass
    return found


def private_memory(pid: int) -> int:
    """Return anonymous plus shared resident bytes of one process; 0 once it is gone."""
    return _kilobytes(f"/proc/{pid}/status", b"RssAnon:", b"RssShmem:") << 10


def share_of_memory(pid: int) -> int:
    """Return the same, each page divided by the number of processes that have it."""
    return _kilobytes(f"/proc/{pid}/smaps_rollup", b"Pss_Anon:", b"Pss_Shmem:") << 10


def _kilobytes(path: str, *fields: bytes) -> int:
    try:
        with open(path, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(fields))


def run(command: Command, *, sample_memory: bool = True, limit: float = 7_200) -> Measurement:
    """Run `command` to its end; kill its process group after `limit` seconds."""
    with tempfile.TemporaryFile() as errors, open(command.stdout or os.devnull, "wb") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd,
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        sampler = MemorySampler(process.pid) if sample_memory else None
        watchdog = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            _, wait_status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - begun
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            watchdog.cancel()
        process.returncode = os.waitstatus_to_exitcode(wait_status)
        peak = sampler.stop() if sampler else 0
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - STDERR_TAIL))
        tail = errors.read().decode(errors="replace")
    status = 0 if process.returncode in command.warnings else process.returncode
    return Measurement(wall, usage.ru_utime + usage.ru_stime, peak, status, tail)


def run_all(commands: Sequence[Command], *, sample_memory: bool = True) -> Measurement:
    """Run commands one after the other as one operation; stop at the first that fails."""
    total = Measurement(0.0, 0.0, 0, 0)
    for command in commands:
        total += run(command, sample_memory=sample_memory)
        if not total.ok:
            break
    return total
