"""Processes that work on a repository until they are stopped, one way or another.

What a snapshot must hold follows from its name, so whoever looks afterwards needs to know nothing else.
"""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
import traceback
from multiprocessing.connection import Connection
from pathlib import Path

from icc_store.model.repository import Repository
from icc_store.opening import create_copy, open_repository
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.verify import verify
from tests.support.live import KEEP_ALL, Contents, contents, fill
from tests.support.shelf import noise, words

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload([__name__])

_TEXTS = [words(number, 1500) for number in range(8)]


def files_of(name: str) -> Contents:
    """What a snapshot of this name holds: some twenty files, many of which change a little from one to the next."""
    source, _, number = name.rpartition(" ")
    chance = random.Random(name)
    files = {f"{source}/entity {each}": _TEXTS[each] + b"%d" % (int(number) * each // 7) for each in range(8)}
    files |= {f"d{each % 3}/file {each}": noise(chance.randrange(60), 700) for each in range(8)}
    files["index"] = b"".join(b"row %d\n" % each for each in range(int(number) % 50 * 40)) + b"end"
    return files


def check_all(repository: Repository) -> list[str]:
    """The names of all snapshots, each proven to hold what it must."""
    found = []
    for snapshot in repository.snapshots(forgotten=True):
        name = snapshot.record.name
        assert contents(repository, snapshot) == files_of(name), name
        found.append(name)
    result = verify(repository)
    assert not result.findings, result.findings
    return found


def snapshot_of(path: Path, top: Path, source: str, number: int) -> None:
    """Make the directory what it is to be and take a snapshot of it."""
    name = f"{source} {number}"
    fill(top, files_of(name))
    with open_repository(path) as repository:
        take_snapshot(repository, [top], options=SnapshotOptions(name=name, source=source))


def collect_but(path: Path, source: str, keep: int) -> None:
    """Remove all but the newest of a source for good."""
    with open_repository(path) as repository:
        ours = [one for one in repository.snapshots() if one.record.source == source]
        forget(repository, [one.id for one in ours[:-keep]], options=ForgetOptions(purge=True))
        collect(repository, options=GcOptions(policy=KEEP_ALL, undelete_hours=0))


def compact(path: Path, timeout: float = 60.0) -> None:
    """Shrink the file."""
    with open_repository(path, exclusive=True, timeout=timeout) as repository:
        repository.compact()


def make_small(path: Path) -> None:
    """Write everything anew for size."""
    with open_repository(path) as repository:
        optimize(repository, options=OptimizeOptions(level=3, threads=1))


def copy_to(path: Path, second: Path) -> None:
    """Bring a copy up to date."""
    with open_repository(path, readonly=True) as source:
        create_copy(second, source.header)
        with open_repository(second) as target:
            copy_repository(source, target)


def list_all(path: Path) -> None:
    """Look, as `icc-store list` does."""
    with open_repository(path, readonly=True) as repository:
        repository.snapshots(forgotten=True)


def work(pipe: Connection, kind: str, path: Path, top: Path, source: str, start: int, seconds: float) -> None:
    """Do one kind of work over and over; tells when it begins, and what went wrong or how often it was done."""
    pipe.send("started")
    number, until = start, time.monotonic() + seconds
    try:
        while time.monotonic() < until:
            number += 1
            if kind == "list":
                list_all(path)
                continue
            if kind != "compact":
                snapshot_of(path, top, source, number)
            if kind == "optimize":
                make_small(path)
            elif kind == "gc":
                collect_but(path, source, 2)
            elif kind == "copy":
                copy_to(path, path.with_name("copy"))
            elif kind == "compact":
                compact(path)
    except BaseException:  # noqa: BLE001 - whatever it is, the test is to see it
        pipe.send(traceback.format_exc())
    else:
        pipe.send(number - start)
    shutil.rmtree(top, ignore_errors=True)


def impatient_snapshots(pipe: Connection, path: Path, top: Path, source: str, seconds: float, patience: float) -> None:
    """Snapshots over and over, each of which gives up when it has waited so long; tells how many there were."""
    pipe.send("started")
    number, until = 0, time.monotonic() + seconds
    try:
        while time.monotonic() < until and not pipe.poll():
            number += 1
            fill(top, files_of(f"{source} {number}"))
            with open_repository(path, timeout=patience) as repository:
                options = SnapshotOptions(name=f"{source} {number}", source=source)
                take_snapshot(repository, [top], options=options)
    except BaseException:  # noqa: BLE001 - whatever it is, the test is to see it
        pipe.send(traceback.format_exc())
    else:
        pipe.send(number)
    shutil.rmtree(top, ignore_errors=True)
