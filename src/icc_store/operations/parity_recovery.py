"""Bringing damaged and missing blocks back from parity, for repair.

Works on the blocks that could be rescued of a damaged database, in a new one; the damaged file itself is searched for
what the new one lacks. What was removed on purpose is not brought back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from icc_store.limits import BATCH_BYTES
from icc_store.model.parity import database_file, parity_folder, second_copies
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import UID
from icc_store.objects.parity_group import group_files, read_group
from icc_store.objects.parity_rebuild import is_block, rebuild
from icc_store.objects.stray_blocks import stray_blocks


@dataclass(frozen=True)
class Recovery:
    """What parity brought back. Numbers of blocks."""

    rebuilt: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    """Damaged or missing, and beyond what parity can do."""
    unreadable: tuple[str, ...] = ()
    """Names of parity files that are too damaged to be of use."""


def recover(rescued: Repository, damaged: Path, *, monitor: Monitor = SILENT) -> Recovery:
    """Put back into `rescued` the blocks that it has damaged or lacks, as far as parity can.

    `damaged` is the directory of the damaged repository, with its parity.
    """
    newest = second_copies(damaged, rescued.header)
    if newest is None or not parity_folder(damaged).is_dir():
        return Recovery()
    monitor.phase("parity")
    identity = rescued.header.repository
    content = newest.content()
    rebuilt: list[int] = []
    lost: set[int] = set()
    unreadable = []
    with stray_blocks(database_file(damaged), identity) as stray:
        for file in group_files(parity_folder(damaged)):
            group = read_group(file, identity)
            if group is None:
                unreadable.append(file.name)
                continue
            with rescued.store.read() as txn:
                found = rebuild(group, identity, txn.block, stray, content.removed)
            rebuilt += _put_back(rescued, found.blocks)
            lost.update(found.lost)
    with rescued.store.read() as txn:
        copies = {
            number: data
            for number, data in content.copies.items()
            if number not in content.removed
            and is_block(data, identity, data[UID])
            and not is_block(txn.block(number), identity, data[UID])
        }
    rebuilt += _put_back(rescued, copies)
    rescued.objects.forget()
    return Recovery(tuple(sorted(rebuilt)), tuple(sorted(lost - copies.keys())), tuple(unreadable))


def _put_back(rescued: Repository, blocks: Mapping[int, bytes]) -> list[int]:
    for batch in _batches(blocks):
        with rescued.store.write() as txn:
            for number in batch:
                txn.replace_block(number, blocks[number])
    return sorted(blocks)


def _batches(blocks: Mapping[int, bytes]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for number in sorted(blocks):
        batch.append(number)
        size += len(blocks[number])
        if size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
