"""What the repository holds, and what each way of saving saves.

The way down: the bytes of all files in all snapshots; each content once (deduplication); each object compressed by
itself; many in one frame (grouping); against earlier versions (delta); and the file on disk with everything around
them. What the two steps in the middle would have come to is tried on a sample and projected from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from icc_store.ids import Kind
from icc_store.model.census import Census, Form, Tally, take_census
from icc_store.model.parity import parity_size
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor


@dataclass(frozen=True)
class KindStats:
    """Objects of one kind. Sizes are bytes."""

    kind: Kind
    objects: int
    plain: int
    stored: int
    delta_objects: int


@dataclass(frozen=True)
class Steps:
    """Bytes after each step of saving. Those of `alone` and `grouped` are projected from a sample."""

    logical: int
    """All files of all snapshots, each hard-linked content once."""
    unique: int
    """Plain bytes of every distinct object."""
    alone: int
    grouped: int
    stored: int
    """Bytes of all frames, as they are."""
    blocks: int
    """With the headers and directories of the blocks."""
    disk: int
    """What the repository's files take on disk: with index, tables and free pages."""


@dataclass(frozen=True)
class Stats:
    """What the repository holds."""

    snapshots: tuple[Snapshot, ...]
    """In the order they were committed; what each added stands in its counters. Forgotten ones count as well."""
    forgotten: int
    kinds: tuple[KindStats, ...]
    steps: Steps
    block_count: int
    parity_bytes: int
    """What parity takes of the disk; 0 without it."""
    damaged: tuple[tuple[int, str], ...]
    """Blocks that could not be counted, and why."""


def stats(repository: Repository, *, monitor: Monitor = SILENT) -> Stats:
    """Count everything. Reads every block once."""
    snapshots = tuple(repository.snapshots(forgotten=True))
    census = take_census(repository, monitor=monitor)
    return Stats(
        snapshots,
        sum(one.forgotten_ns is not None for one in snapshots),
        tuple(_kind(census, kind) for kind in Kind if any(census.tallies.get((kind, form)) for form in Form)),
        _steps(census, sum(one.record.counters.size for one in snapshots), _disk_bytes(repository)),
        census.blocks,
        parity_size(repository.path),
        tuple(census.damaged),
    )


def _kind(census: Census, kind: Kind) -> KindStats:
    tallies = {form: census.tallies.get((kind, form), Tally()) for form in Form}
    return KindStats(
        kind,
        sum(one.objects for one in tallies.values()),
        sum(one.plain for one in tallies.values()),
        sum(one.stored for one in tallies.values()),
        tallies[Form.DELTA].objects,
    )


def _steps(census: Census, logical: int, disk: int) -> Steps:
    stored = {form: sum(one.stored for (_, which), one in census.tallies.items() if which == form) for form in Form}
    alone = grouped = stored[Form.SINGLE]
    for form in (Form.GROUPED, Form.DELTA):
        sample = census.samples.get(form)
        if sample is None or not sample.stored:
            alone, grouped = alone + stored[form], grouped + stored[form]
            continue
        alone += stored[form] * sample.alone // sample.stored
        grouped += stored[form] * (sample.together if form is Form.DELTA else sample.stored) // sample.stored
    unique = sum(one.plain for one in census.tallies.values())
    return Steps(logical, unique, alone, grouped, sum(stored.values()), census.block_bytes, disk)


def _disk_bytes(repository: Repository) -> int:
    total = 0
    for folder, _, names in os.walk(repository.path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass  # a writer's record that has just gone
    return total
