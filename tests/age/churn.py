"""A year of a memory that changes every day, thinned out by the default policy: what it comes to need on the disk."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import Clock
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.opening import compact_if_alone, create_repository, open_repository
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from tests.age.memory import Memory
from tests.support.live import DAY, new_clock, snap

WEEK = 7


@dataclass(frozen=True)
class Space:
    """Bytes of a repository: pages in use, and the whole file."""

    used: int
    file: int


@dataclass(frozen=True)
class Year:
    """What a repository came to, and what a fresh one with the same snapshots needs."""

    days: int
    snapshots: int
    """Still there at the end."""
    churned: Space
    fresh: Space

    @property
    def ratio(self) -> float:
        """How many times the pages of the fresh one are in use in the old one."""
        return self.churned.used / self.fresh.used

    @property
    def file_ratio(self) -> float:
        """The same of the files, reusable pages included."""
        return self.churned.file / self.fresh.file


def live(top: Path, *, entities: int, days: int, seed: int, alone: bool = True) -> Year:
    """Back up a memory of so many entities each day, collect each week, then store again all that is left.

    `alone`: nobody else has the repository open when it is collected, so that its file can be shrunk when that pays.
    """
    old, new = top / "churned", top / "fresh"
    clock = new_clock()
    memory = Memory(top / "memory", random.Random(seed), clock)
    memory.begin(entities)
    create_repository(old)
    for day in range(1, days + 1):
        memory.day()
        with open_repository(old, clock=clock) as repository:
            snap(repository, memory.top)
        if day % WEEK == 0 or day == days:
            _collect(old, clock, alone=alone)
        clock.sleep(DAY)
    clock.sleep(2 * DAY)  # what was forgotten last can be let go
    _collect(old, clock, alone=alone)
    with open_repository(old, clock=clock) as repository:
        snapshots = repository.snapshots(forgotten=True)
        _store_again(repository, snapshots, top / "again", new)
    return Year(days, len(snapshots), _space(old), _space(new))


def _collect(path: Path, clock: Clock, *, alone: bool) -> None:
    """What `icc-store gc` does."""
    with open_repository(path, clock=clock) as repository:
        collect(repository, options=GcOptions(), clock=clock)
    if alone:
        compact_if_alone(path, clock=clock)


def _store_again(repository: Repository, snapshots: Sequence[Snapshot], memory: Path, new: Path) -> None:
    """Bring back one snapshot after the other to the same place, and store each in a new repository."""
    create_repository(new)
    for snapshot in sorted(snapshots, key=lambda one: one.record.seq):
        restored = restore(repository, snapshot, options=RestoreOptions(memory, delete=True))
        assert restored.failures == ()
        with open_repository(new) as target:
            snap(target, memory)


def _space(path: Path) -> Space:
    size = os.stat(path / "data.mdb").st_size
    with open_repository(path, readonly=True) as repository:
        return Space(size - repository.reusable_bytes(), size)
