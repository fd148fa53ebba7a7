"""What no snapshot needs of all that was found: counted, written out as files where that is asked for, and removed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from icc_store.errors import DamageError
from icc_store.ids import RECORD_KINDS, Kind, ObjectId
from icc_store.model.repository import Repository
from icc_store.objects.block import Block
from icc_store.objects.index import Location, as_base_row, rows_into
from icc_store.operations.salvage_reach import ReachOfCopies

_BLOCKS_AT_ONCE = 512
"""Blocks in one transaction, each of which waits for the disk."""


@dataclass
class Orphans:
    """Objects that no snapshot needs, each counted once."""

    objects: int = 0
    size: int = 0
    """Their plain bytes."""
    written: int = 0
    """Files made of chunks among them."""
    unreadable: int = 0
    """Chunks of which no file could be made: deltas against something that is lost."""


class Unneeded:
    """Takes what no snapshot needs out of a repository that nobody else has open."""

    def __init__(self, repository: Repository, reach: ReachOfCopies, folder: Path | None) -> None:
        self.orphans = Orphans()
        self.removed_blocks = 0
        self._repository = repository
        self._reach = reach
        self._folder = folder

    def run(self) -> None:
        """Write the chunks out first, since what goes may be what others are written against."""
        if self._folder is not None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        last = self._repository.objects.transaction.last_block()
        for number in range(1, last + 1):
            self._count(number)
        for start in range(1, last + 1, _BLOCKS_AT_ONCE):
            self._remove(range(start, min(start + _BLOCKS_AT_ONCE, last + 1)))
        self._repository.objects.forget()

    def _count(self, number: int) -> None:
        block = self._block(number)
        if block is None:
            return
        needed = self._reach.live(number) | self._reach.bases(number)
        position = -1
        for frame in block.frames:
            for identity, length in zip(frame.ids, frame.lengths, strict=True):
                position += 1
                first = self._repository.objects.locate(identity)
                if needed >> position & 1 or first != Location(number, position):
                    continue
                self.orphans.objects += 1
                self.orphans.size += length
                if self._folder is not None and frame.kind == Kind.CHUNK:
                    self._write(self._folder, identity)

    def _write(self, folder: Path, identity: ObjectId) -> None:
        try:
            data = self._repository.objects.get(identity, Kind.CHUNK)
        except DamageError:
            self.orphans.unreadable += 1
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(folder / identity.hex(), flags, 0o600), "wb") as file:
            file.write(data)
        self.orphans.written += 1

    def _remove(self, numbers: Iterable[int]) -> None:
        """Remove what is not needed from these blocks, and those of which nothing is."""
        gone: list[bytes] = []
        marked: list[bytes] = []
        useless = []
        for number in numbers:
            block = self._block(number)
            live, bases = self._reach.live(number), self._reach.bases(number)
            if block is None or live == (1 << len(block.ids)) - 1:
                continue
            index = self._repository.objects.transaction
            gone += rows_into(index, number, block.ids, ~(live | bases))
            marked += rows_into(index, number, block.ids, bases)
            if not live | bases:
                useless.append(number)
        if not (gone or marked or useless):
            return
        with self._repository.store.write() as txn:
            txn.delete_rows(sorted(gone + marked))
            txn.insert_rows(sorted(map(as_base_row, marked)))
            for number in useless:
                txn.delete_block(number)
        self.removed_blocks += len(useless)
        self._repository.objects.renew()

    def _block(self, number: int) -> Block | None:
        """A block of content."""
        block = self._repository.objects.block(number)
        return None if block is None or block.frames[0].kind in RECORD_KINDS else block
