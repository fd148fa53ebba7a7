"""Bringing damaged and missing blocks back from parity, for repair.

Works on the blocks that could be rescued of a damaged database, in a new one; the damaged file itself is searched for
what the new one lacks. What was removed on purpose is not brought back.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from icc_store.limits import BATCH_BYTES
from icc_store.model.parity import NewestContent, database_file, parity_folder, pieced_together, second_copies
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.objects.block import UID
from icc_store.objects.parity_group import group_files, read_group
from icc_store.objects.parity_rebuild import is_block, rebuild
from icc_store.objects.stray_blocks import StrayBlocks, stray_blocks

Numbered = tuple[int, bytes]


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
    state = newest.state()
    known = max(0 if state is None else state.last, *content.copies, 0)
    lost: set[int] = set()
    unreadable = []
    with stray_blocks(database_file(damaged), identity) as stray:
        rebuilt = _put_back(rescued, _missing_of(rescued, content))
        rebuilt |= _put_back(rescued, _noting(_of_pieces(rescued, content, stray), lost))
        for file in group_files(parity_folder(damaged)):
            group = read_group(file, identity)
            if group is None:
                unreadable.append(file.name)
                continue
            found = rebuild(
                group, identity, partial(_block, rescued), stray, scratch=rescued.path, removed=content.removed
            )
            rebuilt |= _put_back(rescued, _noting(found, lost))
            known = max(known, *(block.number for block in group.blocks))
        rebuilt |= _put_back(rescued, _unknown_to_parity(rescued, stray.above(known), content.removed))
    rescued.objects.forget()
    return Recovery(tuple(sorted(rebuilt)), tuple(sorted(lost - rebuilt)), tuple(unreadable))


def _missing_of(rescued: Repository, newest: NewestContent) -> Iterator[Numbered]:
    """The second copies of what is damaged or missing."""
    identity = rescued.header.repository
    for number, data in newest.copies.items():
        if number in newest.removed or not is_block(data, identity, data[UID]):
            continue
        if not is_block(_block(rescued, number), identity, data[UID]):
            yield number, data


def _block(rescued: Repository, number: int) -> bytes | None:
    """In a transaction of its own: a longer one would keep the pages of what is replaced meanwhile from being used."""
    with rescued.store.read() as txn:
        return txn.block(number)


def _of_pieces(rescued: Repository, newest: NewestContent, stray: StrayBlocks) -> Iterator[tuple[int, bytes | None]]:
    """The blocks of which both copies are damaged, made of the pieces that are whole in one; None for the others."""
    identity = rescued.header.repository
    for number, data in newest.damaged_copies.items():
        first = _block(rescued, number)
        if number in newest.removed or (first is not None and is_block(first, identity, first[UID])):
            continue
        others = [*([] if first is None else [first]), *stray.of(number, data[UID], len(data))]
        made = pieced_together((data, *(one for one in others if len(one) == len(data))), newest.checks[number])
        yield number, made if made is not None and is_block(made, identity, made[UID]) else None


def _unknown_to_parity(rescued: Repository, found: Iterable[Numbered], removed: Collection[int]) -> Iterator[Numbered]:
    """Whole blocks of which parity has nothing yet, and to which LMDB does not lead."""
    identity = rescued.header.repository
    for number, data in found:
        if number not in removed and _block(rescued, number) is None and is_block(data, identity, data[UID]):
            yield number, data


def _noting(found: Iterable[tuple[int, bytes | None]], lost: set[int]) -> Iterator[Numbered]:
    """What could be rebuilt; the numbers of all else are noted."""
    for number, data in found:
        if data is None:
            lost.add(number)
        else:
            yield number, data


def _put_back(rescued: Repository, blocks: Iterable[Numbered]) -> set[int]:
    """Put blocks back under their numbers, in transactions of bounded size. Returns the numbers."""
    done: set[int] = set()
    batch: dict[int, bytes] = {}
    size = 0
    for number, data in blocks:
        batch[number] = data
        size += len(data)
        if size >= BATCH_BYTES:
            _put_back_batch(rescued, batch)
            done.update(batch)
            batch, size = {}, 0
    _put_back_batch(rescued, batch)
    return done.union(batch)


def _put_back_batch(rescued: Repository, batch: Mapping[int, bytes]) -> None:
    if batch:
        with rescued.store.write() as txn:
            for number, data in batch.items():
                txn.replace_block(number, data)
