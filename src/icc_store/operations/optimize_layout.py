"""Which objects stand together when a repository is written anew for size.

A *hot* frame holds the newest versions of neighbouring files, each followed by a few older ones, which cost next to
nothing there. All that is older goes into *history* frames behind the version that they resemble most, so that who
reads the newest snapshot never decodes a long history. Trees and lists close the block of what they name, and are
compressed behind its ids; so that the block holds as many of these as it can, old versions of large files, which are
many bytes and few ids, stand apart, in blocks behind it.

Hot frames have no bases. So what new snapshots are written against is read in one step, and every chain of deltas
begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import (
    COLD_BLOCK_LIMIT,
    COLD_BLOCK_OBJECTS,
    COLD_BLOCK_SIZE,
    COLD_FRAME_SIZE,
    DELTA_COST_FACTOR,
    HISTORY_COST_FLOOR,
    KIB,
    MAX_DELTA_DEPTH,
    MAX_OBJECTS_PER_BLOCK,
    MAX_OBJECTS_PER_FRAME,
)
from icc_store.objects.encoder import Group
from icc_store.operations.optimize_order import Family

_ORDER = (Kind.CHUNK, Kind.XATTRS, Kind.LIST, Kind.TREE)
_OLDER_SHARE = 3
"""Plain bytes of older versions in a hot frame, for each byte of the newest."""

_SMALL = 8 * KIB
"""Objects up to this size have older versions beside them: to name what each is written against would cost as much as
the difference. Larger ones would push their neighbours, from which much is learned as well, out of the frame."""

Read = Callable[[ObjectId, Kind], bytes]


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: a group, which is one frame, or the end of what is stored together."""

    group: Group | None = None
    apart: bool = False
    """Whether it stands in a block behind that of the others."""


@dataclass(slots=True)
class _Later:
    """Versions of one family that wait for a history frame."""

    base: ObjectId
    base_data: bytes
    members: tuple[ObjectId, ...]


@dataclass(slots=True)
class _Open:
    """Objects of one kind that will be one frame."""

    ids: list[ObjectId] = field(default_factory=list)
    parts: list[bytes] = field(default_factory=list)
    bases: dict[ObjectId, bytes] = field(default_factory=dict)
    depth: int = 0
    cost: int = 0
    size: int = 0

    @property
    def through(self) -> int:
        """Plain KiB of this frame and all below it."""
        return self.cost + -(-self.size // KIB)

    def add(self, identity: ObjectId, data: bytes) -> None:
        self.ids.append(identity)
        self.parts.append(data)
        self.size += len(data)

    def is_full(self, size: int) -> bool:
        return bool(self.ids) and (self.size + size > COLD_FRAME_SIZE or len(self.ids) >= MAX_OBJECTS_PER_FRAME)


@dataclass(slots=True)
class _Filled:
    """What the block that is being filled holds so far. Sizes are plain bytes."""

    objects: int = 0
    hot: int = 0
    history: int = 0
    apart: int = 0


class Layout:
    """Turns families into the groups of one block after the other."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._hot = {kind: _Open() for kind in _ORDER}
        self._later: dict[Kind, list[_Later]] = {kind: [] for kind in _ORDER}
        self._block = _Filled()

    def steps(self, families: Iterable[Family]) -> Iterator[Step]:
        """The groups in their order, and where a block ends. A base stands in the same block or in an earlier one."""
        for family in families:
            yield from self._place(family)
            if family.kind == Kind.TREE and self._is_large():
                yield from self._close()
        yield from self._close()

    def _is_large(self) -> bool:
        block = self._block
        hot = block.hot + sum(frame.size for frame in self._hot.values())
        objects = block.objects + sum(len(frame.ids) for frame in self._hot.values())
        objects += sum(len(family.members) for waiting in self._later.values() for family in waiting)
        return hot >= COLD_BLOCK_SIZE or objects >= COLD_BLOCK_OBJECTS or block.apart >= COLD_BLOCK_LIMIT

    def _place(self, family: Family) -> Iterator[Step]:
        kind, members = family.kind, family.members
        newest = self._read(members[0], kind)
        if self._hot[kind].is_full(len(newest)):
            yield from self._seal(kind)
        hot = self._hot[kind]
        hot.add(members[0], newest)
        room = _OLDER_SHARE * len(newest) if len(newest) <= _SMALL else 0
        for number, identity in enumerate(members[1:], 1):
            data = self._read(identity, kind)
            room -= len(data)
            if room < 0 or hot.is_full(len(data)):
                self._later[kind].append(_Later(members[number - 1], hot.parts[-1], members[number:]))
                break
            hot.add(identity, data)

    def _close(self) -> Iterator[Step]:
        """End the block: what it names comes last."""
        for kind in _ORDER:
            yield from self._seal(kind)
        yield from self._end()

    def _end(self) -> Iterator[Step]:
        if self._block != _Filled():
            self._block = _Filled()
            yield Step()

    def _put(self, kind: Kind, frame: _Open, *, apart: bool = False) -> Iterator[Step]:
        """Add a frame. A block that has grown too large ends before it."""
        keys = tuple(base[:KEY_SIZE] for base in frame.bases)
        data = b"".join(frame.bases.values())
        group = Group(kind, tuple(frame.ids), tuple(frame.parts), keys, data, frame.depth, frame.cost)
        if apart:
            self._block.apart += frame.size
            yield Step(group, apart=True)
            return
        size = self._block.hot + self._block.history + frame.size
        if size > COLD_BLOCK_LIMIT or self._block.objects + len(frame.ids) > MAX_OBJECTS_PER_BLOCK:
            yield from self._end()
        self._block.objects += len(frame.ids)
        if frame.depth:
            self._block.history += frame.size
        else:
            self._block.hot += frame.size
        yield Step(group)

    def _seal(self, kind: Kind) -> Iterator[Step]:
        """End a hot frame, and write what is older behind it."""
        hot, self._hot[kind] = self._hot[kind], _Open()
        later, self._later[kind] = self._later[kind], []
        if not hot.ids:
            return
        yield from self._put(kind, hot)
        small = [family for family in later if len(family.base_data) <= _SMALL]
        large = [family for family in later if len(family.base_data) > _SMALL]
        yield from self._history(kind, small, hot.through, apart=False)
        yield from self._history(kind, large, hot.through, apart=kind == Kind.CHUNK)

    def _history(self, kind: Kind, later: list[_Later], below: int, *, apart: bool) -> Iterator[Step]:
        """Older versions, behind what stands in a frame that has `below` KiB with all below it."""
        frame = _Open(depth=1, cost=below)
        for family in later:
            prefix = sum(map(len, frame.bases.values()))
            if frame.depth > 1 or prefix + len(family.base_data) > COLD_FRAME_SIZE:
                if frame.ids:
                    yield from self._put(kind, frame, apart=apart)
                frame = _Open(depth=1, cost=below)
            frame.bases[family.base] = family.base_data
            begun = False
            for identity in family.members:
                data = self._read(identity, kind)
                if frame.is_full(len(data)):
                    yield from self._put(kind, frame, apart=apart)
                    if begun and _may_follow(frame, len(data)):
                        bases = {frame.ids[-1]: frame.parts[-1]}
                        frame = _Open(bases=bases, depth=frame.depth + 1, cost=frame.through)
                    else:
                        frame = _Open(bases={family.base: family.base_data}, depth=1, cost=below)
                frame.add(identity, data)
                begun = True
        if frame.ids:
            yield from self._put(kind, frame, apart=apart)


def _may_follow(frame: _Open, size: int) -> bool:
    """Whether an object of this size may be written against the last one of a history frame."""
    closure = frame.through * KIB + size
    return frame.depth < MAX_DELTA_DEPTH and closure <= max(DELTA_COST_FACTOR * size, HISTORY_COST_FLOOR)
