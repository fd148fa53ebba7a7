"""Real directories and real repositories: files from a map, what a snapshot holds as a map, a clock to be moved."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from icc_store.clock import FixedClock
from icc_store.model.content import content_bytes, plain_bytes
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of, walk
from icc_store.operations.gc import GcOptions, GcResult, collect
from icc_store.operations.retention import RetentionPolicy, explicit_policy
from icc_store.operations.snapshot import SnapshotOptions, SnapshotResult, take_snapshot

NOW = 1_790_000_000_000_000_000
DAY = 86_400.0
OLD = NOW - 10**18
"""A time that is long ago for every file system, so that nothing is racy."""

Contents = dict[str, bytes]
"""Stored paths of regular files, and what is in them."""

KEEP_ALL = explicit_policy(keep_last=10**6)


def fill(top: Path, files: Mapping[str, bytes], *, mtime_ns: int | None = OLD) -> None:
    """Make `top` hold exactly these files. What is equal already is not touched."""
    top.mkdir(parents=True, exist_ok=True)
    for path in sorted(top.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif str(path.relative_to(top)) not in files:
            path.unlink()
    for name, data in files.items():
        path = top / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_bytes() != data:
            put(path, data, mtime_ns=mtime_ns)
    for path in [path for path in top.rglob("*") if path.is_dir() and not path.is_symlink()]:
        os.utime(path, ns=(OLD, OLD))


def put(path: Path, data: bytes, *, mtime_ns: int | None = OLD) -> None:
    """Write one file, and give it a time."""
    path.write_bytes(data)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))


def snap(repository: Repository, *paths: Path, **options: Any) -> Snapshot:
    """A snapshot that must be made, without anything left out for being unreadable."""
    result = shoot(repository, *paths, **options)
    assert result.problems == ()
    assert result.snapshot is not None
    return result.snapshot


def shoot(repository: Repository, *paths: Path, **options: Any) -> SnapshotResult:
    """What came of a snapshot. Everything is of the source `home` on the host `here` where no other is given.

    So it does not depend on the machine which parts are due to be read again.
    """
    given = SnapshotOptions(**({"source": "home", "host": "here"} | options))
    return take_snapshot(repository, paths, options=given, clock=repository.clock)


def clean(
    repository: Repository, *, policy: RetentionPolicy = KEEP_ALL, hours: int = 0, dry_run: bool = False
) -> GcResult:
    """gc; by default nothing is forgotten, and what was forgotten goes at once."""
    options = GcOptions(policy=policy, undelete_hours=hours, dry_run=dry_run)
    return collect(repository, options=options, clock=repository.clock)


def contents(repository: Repository, snapshot: Snapshot) -> Contents:
    """Every regular file of a snapshot, read to its end and proven by its ids."""
    repository.objects.forget()
    found: Contents = {}
    for each in walk(repository.objects, root_of(snapshot.record)):
        if each.entry.is_file:
            pieces = content_bytes(repository.objects, each.entry.chunk, each.entry.content_list)
            found[os.fsdecode(each.path)] = b"".join(plain_bytes(pieces))
            assert len(found[os.fsdecode(each.path)]) == each.entry.size
    return found


def on_disk(top: Path) -> Contents:
    """The same of a directory."""
    return {
        str(path.relative_to(top)): path.read_bytes()
        for path in top.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def names(repository: Repository, snapshot: Snapshot) -> list[str]:
    """Every stored path but the root."""
    return [os.fsdecode(each.path) for each in walk(repository.objects, root_of(snapshot.record)) if each.path]


def object_ids(repository: Repository) -> set[bytes]:
    """Keys of everything indexed."""
    repository.objects.renew()
    return {row[:16] for row in repository.objects.transaction.rows()}


def new_clock() -> FixedClock:
    """A clock at the hour of these tests."""
    return FixedClock(NOW)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """The body must end in this time; it is interrupted when it does not."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
