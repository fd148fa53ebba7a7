"""Verifying with several processes, as long as nothing is wrong.

Almost every check finds a repository whole, and then all it has to say are some sums. So children go through trees and
blocks, each with the same checks that are made elsewhere, and say only what they counted, or that something was not as
it should be. In that case, whatever it was, everything is checked again by one process, which knows how to look at it a
second time, what it means, and whom it concerns.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from icc_store.clock import Clock
from icc_store.errors import DamageError, Interrupted, WorkerKilled
from icc_store.ids import ObjectId
from icc_store.model.record import SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.crew import Crew, Job, Tell, hire
from icc_store.operations.relay import Relay
from icc_store.operations.verify_blocks import BlockCheck
from icc_store.operations.verify_index import RowsByBlock, leading_nowhere
from icc_store.operations.verify_trees import Contents, TreeCheck

_SIZE = 2
"""Children: one for each of the processors that most machines have, and each takes memory."""

_WORTH_IT = 64
"""Blocks from which on children are begun: eight megabytes, which take as long as beginning them."""

_BLOCKS_PER_JOB = 8
"""A job has to hold the index rows into them: 22 bytes for each object."""

_TREES = "trees"


@dataclass
class Sums:
    """What was counted, when nothing was wrong."""

    blocks: int = 0
    objects: int = 0
    stored_bytes: int = 0
    plain_bytes: int = 0
    trees: int = 0
    references: int = 0
    records: set[ObjectId] = field(default_factory=set)
    """Snapshot records and annotations that were met."""

    def add(self, other: Sums) -> None:
        """Count what another has counted as well."""
        self.blocks += other.blocks
        self.objects += other.objects
        self.stored_bytes += other.stored_bytes
        self.plain_bytes += other.plain_bytes
        self.trees += other.trees
        self.references += other.references
        self.records |= other.records


def sums_if_sound(
    repository: Repository, snapshots: Iterable[SnapshotRecord], end: int, monitor: Monitor, clock: Clock
) -> Sums | None:
    """What is in the blocks below number `end`, and in the trees of these snapshots; None where anything is wrong.

    None also where other processes would not help. Raises Interrupted and WorkerKilled when one was ended.
    """
    if end <= _WORTH_IT or (os.cpu_count() or 1) < _SIZE:
        return None

    def work(jobs: Iterator[Job], tell: Tell) -> Sums:
        repository.open_for_reading()
        relay = Relay(lambda name, arguments: tell((name, arguments)), clock)
        sums = _work(repository, list(snapshots), jobs, relay)
        relay.flush()
        return sums

    def hear(said: tuple[str, tuple[Any, ...]]) -> None:
        name, arguments = said
        getattr(monitor, name)(*arguments)

    crew = hire(repository, _SIZE, work, hear)
    if crew is None:
        return None
    try:
        with crew:
            crew.give(_TREES)
            return _all(repository, crew, end)
    except (Interrupted, WorkerKilled):
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the one process that looks again will meet it and tell
        repository.objects.forget()
        return None


def _all(repository: Repository, crew: Crew, end: int) -> Sums | None:
    """Give out all blocks, and add up."""
    rows = RowsByBlock(repository, 1, end, everything=True)
    numbers = [number for number, _ in repository.objects.transaction.block_sizes() if number < end]
    repository.objects.renew()
    here = BlockCheck(repository, Monitor(), threads=1)
    for at in range(0, len(numbers), _BLOCKS_PER_JOB):
        job = [(number, rows.take(number)) for number in numbers[at : at + _BLOCKS_PER_JOB]]
        if not crew.give(job) and not all(here.is_sound(number, into) for number, into in job):
            return None  # too many objects in them for a message, and not even whole
    if rows.damaged or leading_nowhere(repository, rows.astray) or any(True for _ in rows.without_block()):
        return None
    total = _sums_of(here)
    for sums in crew.finish():
        total.add(sums)
    return total


def _work(repository: Repository, snapshots: list[SnapshotRecord], jobs: Iterator[Job], monitor: Monitor) -> Sums:
    """What a child does. Raises DamageError at the first thing that is wrong."""
    blocks = BlockCheck(repository, monitor, threads=1)
    trees = TreeCheck(repository, monitor, {}, contents=Contents.LENGTHS)
    for job in jobs:
        if job.what == _TREES:
            sound = all(trees.check(record) for record in snapshots) and not trees.drafts
        else:
            sound = all(blocks.is_sound(number, rows) for number, rows in job.what)
        if not sound:
            raise DamageError("something is wrong")
    sums = _sums_of(blocks)
    sums.trees, sums.references = trees.trees, trees.references
    sums.plain_bytes += trees.read_bytes
    return sums


def _sums_of(blocks: BlockCheck) -> Sums:
    return Sums(blocks.blocks, blocks.objects, blocks.stored_bytes, blocks.plain_bytes, records=blocks.records)
