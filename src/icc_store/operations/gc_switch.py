"""Putting new blocks in the place of old copies of the same objects, while others read, write and collect.

A transaction appends blocks, gives each of their objects a new index row, and marks the old rows as bases: the old
copies stay readable for deltas that were made against them, at the depth they were made at, until a sweep finds that
nothing needs them. So an object is never without a copy, and no delta without its base, whenever the process dies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.model.maintenance import WriteTransaction, bump_epoch
from icc_store.model.repository import Repository
from icc_store.objects.bases import Bases
from icc_store.objects.index import Location, as_base_row, is_base_row, pack_row, unpack_row
from icc_store.quick_dataclass import dataclass

if TYPE_CHECKING:
    from icc_store.operations.optimize_encode import NewBlock


@dataclass(frozen=True)
class Switched:
    """A block that was committed, and where older copies of its objects are."""

    number: int
    block: NewBlock
    old: tuple[Location, ...]


@dataclass(frozen=True)
class Switch:
    """What one transaction did, and the gc epochs before and after it."""

    done: tuple[Switched, ...]
    epochs: tuple[int, int]


def replace_copies(
    repository: Repository,
    blocks: Sequence[NewBlock],
    *,
    note: Callable[[WriteTransaction, Sequence[Switched]], None] | None = None,
) -> Switch:
    """Commit these blocks, but for those that hold something that gc has removed meanwhile.

    `note` is called in the transaction, last.
    """
    done: list[Switched] = []
    with repository.store.write() as txn:
        lowest = repository.store.lowest_writer()
        limit = txn.last_block() + 1 if lowest is None else lowest
        for block in blocks:
            old = _old_rows(txn, block, limit)
            if old is None or not _has_bases(txn, repository.header.repository, block):
                continue
            number = txn.append_block(block.data)
            txn.delete_rows(sorted(old))
            txn.insert_rows(sorted(as_base_row(row) for row in old))
            keys = [identity[:KEY_SIZE] for identity in _ids(block)]
            txn.insert_rows(sorted(pack_row(key, number, position) for position, key in enumerate(keys)))
            done.append(Switched(number, block, tuple(unpack_row(row)[1] for row in old)))
        epochs = bump_epoch(txn)
        if note is not None:
            note(txn, done)
    repository.objects.forget()
    return Switch(tuple(done), epochs)


def _old_rows(txn: WriteTransaction, block: NewBlock, limit: int) -> list[bytes] | None:
    """The rows of all copies below block `limit`. None when something in it is not in the index any more.

    What is in the index may be referred to, and all that it needs is there as well.
    """
    found: list[bytes] = []
    for identity in _ids(block):
        key = identity[:KEY_SIZE]
        rows = _rows_of(txn, key)
        if all(is_base_row(row) for row in rows):
            return None
        found += [row for row in rows if not is_base_row(row) and unpack_row(row)[1].block < limit]
    return found


def _rows_of(txn: WriteTransaction, key: bytes) -> list[bytes]:
    return list(takewhile(lambda row: row.startswith(key), txn.rows(key)))


def _has_bases(txn: WriteTransaction, repository: bytes, block: NewBlock) -> bool:
    """Whether all that a block is written against is in it, or can be read with it."""
    bases = Bases(txn, repository)
    depths: dict[bytes, int] = {}
    for frame in block.frames:
        for key in frame.bases:
            if not (depths.get(key, frame.depth) < frame.depth or bases.is_there(key, frame.depth)):
                return False
        depths.update((identity[:KEY_SIZE], frame.depth) for identity in frame.ids)
    return True


def _ids(block: NewBlock) -> list[ObjectId]:
    return [identity for frame in block.frames for identity in frame.ids]
