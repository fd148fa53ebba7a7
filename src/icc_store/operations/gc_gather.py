"""Objects on their way into new blocks: in the order they come, as a run gathers what is new.

What is written against objects of one frame shares a frame; what has nothing to be written against shares larger ones,
kind by kind. Blocks fill whole pages, one each unless there is much: then the pages of what gc frees later are whole
pages as well, and any new block fits into them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from icc_store.errors import DamageError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import (
    DELTA_COST_FACTOR,
    DELTA_COST_FLOOR,
    DELTA_GROUP_SIZE,
    KIB,
    MAX_DELTA_DEPTH,
    MAX_OBJECTS_PER_FRAME,
    SOLID_FRAME_SIZE,
)
from icc_store.objects.block import Frame, encode_block
from icc_store.objects.encoder import Encoder, Group, pack_pages
from icc_store.objects.reader import ObjectReader
from icc_store.operations.optimize_encode import NewBlock

_ORDER = (Kind.CHUNK, Kind.XATTRS, Kind.LIST, Kind.TREE)
_PAGE_SHARE = 4
"""About how much smaller trees and lists become, whose size is not known before their place in a block is."""


@dataclass(slots=True)
class _Open:
    """Objects of one kind that will be one frame."""

    kind: Kind
    frame: object = None
    """What they are written against stands in this one."""
    depth: int = 0
    below: int = 0
    ids: list[ObjectId] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    bases: dict[bytes, bytes] = field(default_factory=dict)
    size: int = 0

    def add(self, identity: ObjectId, data: bytes) -> None:
        self.ids.append(identity)
        self.parts.append(data)
        self.size += len(data)

    def is_full(self, size: int, limit: int) -> bool:
        return bool(self.ids) and (self.size + size > limit or len(self.ids) >= MAX_OBJECTS_PER_FRAME)


@dataclass(frozen=True, slots=True)
class _Place:
    """The frame that a base will be read from, how deep that is, and the plain KiB of it and all below."""

    frame: object
    depth: int
    through: int


class Gathering:
    """What waits to be written anew."""

    def __init__(self, objects: ObjectReader, repository: bytes) -> None:
        self._objects = objects
        self._repository = repository
        self._encoder = Encoder()
        self._begin()

    def _begin(self) -> None:
        self._solid = {kind: _Open(kind) for kind in _ORDER}
        self._run: _Open | None = None
        self._waiting: dict[bytes, _Open] = {}
        self._new: dict[bytes, _Place] = {}
        self._frames: list[Frame | Group] = []
        self.stored = 0
        """About how many bytes are waiting, compressed."""

    def add(self, kind: Kind, identity: ObjectId, data: bytes, base: bytes | None) -> None:
        """Add an object, to be written against the base of that key where that stays within bounds."""
        place = None if base is None else self._place(base)
        if base is None or place is None or not _within_bounds(place, len(data)):
            if self._solid[kind].is_full(len(data), SOLID_FRAME_SIZE):
                self._seal(kind)
            self._put(self._solid[kind], identity, data)
            return
        run = self._run
        if run is None or (run.kind, run.frame) != (kind, place.frame) or run.is_full(len(data), DELTA_GROUP_SIZE):
            prefix = self._plain(base)
            self._seal_run()
            run = self._run = _Open(kind, place.frame, place.depth + 1, place.through)
        else:
            prefix = run.bases.get(base) or self._plain(base)
        run.bases[base] = prefix
        self._put(run, identity, data)

    def blocks(self) -> list[NewBlock]:
        """All that waits, as blocks. Nothing waits any more.

        Raises DamageError when something is no longer what it was when it was read.
        """
        self._seal_run()
        for kind in _ORDER:
            self._seal(kind)
        packed = pack_pages(self._frames, encoder=self._encoder)
        self._begin()
        if self._encoder.spoiled:
            raise DamageError(
                f"{len(self._encoder.spoiled)} objects changed in memory; they are left as they were",
                hint="check this machine's memory",
            )
        return [NewBlock(encode_block(self._repository, frames), tuple(frames)) for frames in packed]

    def _place(self, key: bytes) -> _Place | None:
        """Where a base will be, or where it is. The frame of one that waits is ended, so that its depth is known."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            if waiting is self._run:
                self._seal_run()
            else:
                self._seal(waiting.kind)
        known = self._new.get(key)
        if known is not None:
            return known
        found = self._objects.frame_of(key)
        if found is None:
            return None
        location, number, frame, _ = found
        return _Place((location.block, number), frame.depth, frame.cost + _kib(frame.plain_size))

    def _plain(self, key: bytes) -> bytes:
        """The bytes of a base, proven. Raises DamageError."""
        found = self._objects.frame_of(key)
        if found is None:
            raise DamageError(f"the base object {key.hex()} is missing", hint="run `icc-store verify`")
        _, _, frame, within = found
        return self._objects.get(frame.ids[within], frame.kind)

    def _put(self, group: _Open, identity: ObjectId, data: bytes) -> None:
        group.add(identity, data)
        self._waiting[identity[:KEY_SIZE]] = group

    def _seal(self, kind: Kind) -> None:
        solid, self._solid[kind] = self._solid[kind], _Open(kind)
        self._end(solid)

    def _seal_run(self) -> None:
        run, self._run = self._run, None
        if run is not None:
            self._end(run)

    def _end(self, group: _Open) -> None:
        if not group.ids:
            return
        prefix = b"".join(group.bases.values())
        waiting = Group(
            group.kind, tuple(group.ids), tuple(group.parts), tuple(group.bases), prefix, group.depth, group.below
        )
        if group.kind in (Kind.TREE, Kind.LIST):
            self._frames.append(waiting)  # a frame when its place is known: behind the ids of what it refers to
            self.stored += group.size // _PAGE_SHARE
        else:
            frame = self._encoder.frame(waiting)
            self._frames.append(frame)
            self.stored += len(frame.stored)
        place = _Place(group, group.depth, group.below + _kib(group.size))
        for identity in group.ids:
            del self._waiting[identity[:KEY_SIZE]]
            self._new[identity[:KEY_SIZE]] = place


def _within_bounds(place: _Place, size: int) -> bool:
    closure = place.through * KIB + size
    return place.depth < MAX_DELTA_DEPTH and closure <= max(DELTA_COST_FACTOR * size, DELTA_COST_FLOOR)


def _kib(size: int) -> int:
    return -(-size // KIB)
