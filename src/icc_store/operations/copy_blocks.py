"""The blocks of a copy: those that hold anything new, each behind what it is written against.

A frame is read only with bases of less depth (docs/format.md, section 2.2), and two copies of one repository may have
an object at different depths: optimize, and files that went back to an old version, see to that. So that the other one
has an object says nothing about what can be read with it. Before a block goes, its bases are looked for there at the
depth it needs; where one is missing, the block that has it goes first, after what that one needs, and so on down to
frames without bases. Blocks that need each other (frames never do) go in one transaction. So whatever the copy holds at
any instant can be read there.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from icc_store.codec.hashing import object_id
from icc_store.errors import BlockDamaged, ObjectMissing
from icc_store.ids import RECORD_KINDS, ObjectId
from icc_store.limits import BATCH_BYTES
from icc_store.model.maintenance import gc_epoch, remember_copied
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.objects.block import Block
from icc_store.objects.index import pack_row, rows_into, unpack_row
from icc_store.operations.gc_mark import frame_bits, needed_bases

_Base = tuple[bytes, int]
"""A key, and the depth that it must be below."""


class MovedMeanwhile(Exception):
    """gc of the target removed what the blocks on their way are written against. Never seen outside of `copy`."""


@dataclass(frozen=True)
class _Contents:
    """What of a block anybody can find: its index rows, the frames they lead into, and the bases of those."""

    block: Block
    rows: list[bytes]
    frames: list[int]
    bases: set[_Base]


@dataclass
class _Batch:
    """What one transaction will add."""

    blocks: list[tuple[bytes, list[bytes]]] = field(default_factory=list)
    """Bytes of blocks, and their rows as the source has them."""
    size: int = 0
    bases: set[_Base] = field(default_factory=set)
    depths: dict[bytes, int] = field(default_factory=dict)
    """The least depth of each object in it."""
    lacking: set[_Base] = field(default_factory=set)
    """Bases that are neither in it nor in the target yet. They are on their way."""

    def has(self, base: _Base) -> bool:
        """Whether it brings this base along."""
        key, below = base
        return self.depths.get(key, below) < below


class BlockCopy:
    """Copies blocks from one repository to another, whose list of writers it must be in."""

    def __init__(self, source: Repository, target: Repository, monitor: Monitor) -> None:
        self._source = source
        self._target = target
        self._monitor = monitor
        self.blocks = self.size = 0

    def run(self, after: int) -> None:
        """Copy what is new in the blocks after this one, and what that is written against, from any.

        Raises DamageError when something cannot be read, or was moved by gc of the source while it was looked for;
        MovedMeanwhile.
        """
        self._met: dict[int, set[_Base] | None] = {}
        """Blocks that are on their way: which bases they still lacked; None when they are in the batch or copied."""
        self._batch = _Batch()
        self._last: tuple[int, _Contents | None] = (0, None)
        """The block that was looked at last: usually it is asked for three times in a row."""
        self._through = after
        self._target.objects.renew()
        self._epoch = gc_epoch(self._target.objects.transaction)
        for number in [number for number, _ in self._source.objects.transaction.block_sizes(after + 1)]:
            found = self._contents(number)
            if found is not None and self._is_new(found):
                self._bring(number)
            self._through = number
        if self._through > after:
            self._append()

    def _bring(self, number: int) -> None:
        """Take in a block, behind those that have what it is written against."""
        waiting = [number]
        while waiting:
            last = waiting[-1]
            if last not in self._met:
                lacking = self._lacking(last)
                self._met[last] = lacking
                holders = {self._holder(base) for base in lacking}
                waiting += sorted(holders - self._met.keys())
                continue
            waiting.pop()
            still_lacking = self._met[last]
            if still_lacking is not None:
                self._met[last] = None
                self._take(last, still_lacking)

    def _contents(self, number: int) -> _Contents | None:
        """What is in a block of content, or None when there is none of that number. Records are copied by themselves.

        What gc has left in a block without an index row is copied along, but it is nobody's and proves nothing.
        """
        if self._last[0] != number:
            self._last = number, self._look(number)
        return self._last[1]

    def _look(self, number: int) -> _Contents | None:
        block = self._source.objects.block(number)
        if block is None or block.frames[0].kind in RECORD_KINDS:
            return None
        rows = rows_into(self._source.objects.transaction, number, block.ids)
        bits = 0
        for row in rows:
            bits |= 1 << unpack_row(row)[1].position
        frames = [at for at in range(len(block.frames)) if bits & frame_bits(block, at)]
        return _Contents(block, rows, frames, needed_bases(block, bits))

    def _is_new(self, found: _Contents) -> bool:
        """Whether anything in it is not in the target, nor on the way there."""
        ids = found.block.ids
        places = {place.position: place.base_only for _, place in map(unpack_row, found.rows)}
        return not all(self._has(ids[position], base_only=base_only) for position, base_only in places.items())

    def _has(self, identity: ObjectId, *, base_only: bool) -> bool:
        objects = self._target.objects
        return objects.locate(identity) is not None if base_only else objects.contains(identity)

    def _lacking(self, number: int) -> set[_Base]:
        """What a block is written against and neither the target nor the batch has at the depth it must have."""
        return {base for base in self._present(number).bases if self._lacks(base)}

    def _lacks(self, base: _Base) -> bool:
        return not self._batch.has(base) and self._target.objects.base_location(*base) is None

    def _present(self, number: int) -> _Contents:
        found = self._contents(number)
        if found is None:
            raise BlockDamaged(f"block {number} is missing", hint="run `icc-store verify`")
        return found

    def _holder(self, base: _Base) -> int:
        """The block of the source in which a base stands as it is needed."""
        location = self._source.objects.base_location(*base)
        if location is None:
            raise ObjectMissing(f"the base object {base[0].hex()} is missing", hint="run `icc-store verify`")
        return location.block

    def _take(self, number: int, lacking: set[_Base]) -> None:
        """Add a block to the batch, proven, and copy the batch when it is large and complete in itself."""
        found = self._present(number)
        for frame in found.frames:
            self._prove(number, found.block, frame)
        data = self._source.objects.transaction.block(number)
        if data is None:
            raise BlockDamaged(f"block {number} is missing", hint="run `icc-store verify`")
        batch = self._batch
        batch.blocks.append((data, found.rows))
        batch.size += len(data)
        batch.bases |= found.bases
        for key, place in map(unpack_row, found.rows):
            depth = found.block.frames[found.block.frame_at(place.position)[0]].depth
            batch.depths[key] = min(depth, batch.depths.get(key, depth))
        batch.lacking = {base for base in batch.lacking | lacking if self._lacks(base)}
        if batch.size >= BATCH_BYTES and not batch.lacking:
            self._append()

    def _prove(self, number: int, block: Block, frame_number: int) -> None:
        """Decode a frame and compare each of its objects with its id."""
        frame = block.frames[frame_number]
        plain = self._source.objects.frame_plain(number, block, frame_number)
        at = 0
        for identity, length in zip(frame.ids, frame.lengths, strict=True):
            if object_id(frame.kind, plain[at : at + length]) != identity:
                raise BlockDamaged(f"block {number} holds an object that is not what its id says")
            at += length

    def _append(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if batch.lacking:
            raise BlockDamaged("blocks are written against each other without end", hint="run `icc-store verify`")
        with self._target.store.write() as txn:
            epoch = gc_epoch(txn)
            if epoch != self._epoch:
                self._target.objects.forget()  # while nobody else commits: what is there now is there with this commit
                if not all(batch.has(base) or self._target.objects.base_location(*base) for base in batch.bases):
                    raise MovedMeanwhile
                self._epoch = epoch
            moved = []
            for data, rows in batch.blocks:
                number = txn.append_block(data)
                for row in rows:
                    key, location = unpack_row(row)
                    moved.append(pack_row(key, number, location.position, base_only=location.base_only))
            txn.insert_rows(sorted(moved))
            remember_copied(txn, self._source.header.instance, self._through)
        self.blocks += len(batch.blocks)
        self.size += batch.size
        self._monitor.advance(0, batch.size, b"")
        self._target.objects.renew()
