"""A process that does one thing to an old repository, and is killed at it."""

from __future__ import annotations

import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from icc_store.clock import FixedClock
from icc_store.opening import open_repository
from icc_store.operations.copy import copy_repository
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.parity import renew
from tests.support.labour import CONTEXT
from tests.support.live import snap


def interrupted(kind: str, top: Path, now_ns: int, seconds: float) -> None:
    """Let a process do it, and kill it after so many seconds, or when it is done."""
    here, there = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_work, args=(there, kind, top, now_ns))
    process.start()
    there.close()
    assert here.recv() == "ready"
    if not here.poll(seconds):
        process.kill()
    process.join()
    with suppress(EOFError):
        assert here.recv() == "done"


def _work(pipe: Connection, kind: str, top: Path, now_ns: int) -> None:
    clock = FixedClock(now_ns)
    path, second = top / "repository", top / "copy"
    pipe.send("ready")
    with open_repository(path, clock=clock, exclusive=kind == "compact") as repository:
        if kind == "snapshot":
            snap(repository, top / "memory")
        elif kind == "gc":
            collect(repository, options=GcOptions(), clock=clock)
        elif kind == "compact":
            repository.compact()
        elif kind == "parity":
            renew(repository, everything=True)
        else:
            with open_repository(second, clock=clock) as target:
                copy_repository(repository, target)
    pipe.send("done")
    time.sleep(0.001)
