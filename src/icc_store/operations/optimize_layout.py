"""Which objects stand together when a repository is written anew for size.

A *hot* frame holds the newest versions of neighbouring files, each followed by a few older ones, which cost next to
nothing there. All that is older goes into *history* frames behind the version that they resemble most, so that who
reads the newest snapshot never decodes a long history. Trees and lists close the block of what they name, and are
compressed behind its ids.

Hot frames have no bases. So what new snapshots are written against is read in one step, and every chain of deltas
begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import (
    COLD_BLOCK_OBJECTS,
    COLD_BLOCK_SIZE,
    DELTA_COST_FACTOR,
    HISTORY_COST_FLOOR,
    HISTORY_FRAME_SIZE,
    HOT_FRAME_SIZE,
    KIB,
    MAX_DELTA_DEPTH,
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

    def is_full(self, size: int, limit: int) -> bool:
        return bool(self.ids) and (self.size + size > limit or len(self.ids) >= MAX_OBJECTS_PER_FRAME)


class Layout:
    """Turns families into the groups of one block after the other."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._hot = {kind: _Open() for kind in _ORDER}
        self._later: dict[Kind, list[_Later]] = {kind: [] for kind in _ORDER}
        self._groups: list[Group] = []
        self._plain = self._objects = 0

    def blocks(self, families: Iterable[Family]) -> Iterator[list[Group]]:
        """The groups of each block, in their order. A base stands in the same block or in an earlier one."""
        for family in families:
            yield from self._place(family)
            if family.kind == Kind.TREE and self._is_large(COLD_BLOCK_SIZE):
                yield from self._close()
        yield from self._close()

    def _is_large(self, size: int) -> bool:
        waiting = sum(hot.size for hot in self._hot.values())
        objects = self._objects + sum(len(hot.ids) for hot in self._hot.values())
        return self._plain + waiting >= size or objects >= COLD_BLOCK_OBJECTS

    def _place(self, family: Family) -> Iterator[list[Group]]:
        kind, members = family.kind, family.members
        newest = self._read(members[0], kind)
        if self._hot[kind].is_full(len(newest), HOT_FRAME_SIZE):
            yield from self._seal(kind)
        hot = self._hot[kind]
        hot.add(members[0], newest)
        room = _OLDER_SHARE * len(newest) if len(newest) <= _SMALL else 0
        for number, identity in enumerate(members[1:], 1):
            data = self._read(identity, kind)
            room -= len(data)
            if room < 0 or hot.is_full(len(data), HOT_FRAME_SIZE):
                self._later[kind].append(_Later(members[number - 1], hot.parts[-1], members[number:]))
                break
            hot.add(identity, data)

    def _close(self) -> Iterator[list[Group]]:
        """End the block: what it names comes last."""
        for kind in _ORDER:
            yield from self._seal(kind)
        if self._groups:
            yield self._take()

    def _take(self) -> list[Group]:
        groups, self._groups = self._groups, []
        self._plain = self._objects = 0
        return groups

    def _put(self, kind: Kind, frame: _Open) -> Iterator[list[Group]]:
        """Add a frame; a block that has grown too large is handed out before."""
        if self._groups and (
            self._plain + frame.size > 2 * COLD_BLOCK_SIZE or self._objects + len(frame.ids) > COLD_BLOCK_OBJECTS
        ):
            yield self._take()
        keys = tuple(base[:KEY_SIZE] for base in frame.bases)
        data = b"".join(frame.bases.values())
        self._groups.append(Group(kind, tuple(frame.ids), tuple(frame.parts), keys, data, frame.depth, frame.cost))
        self._plain += frame.size
        self._objects += len(frame.ids)

    def _seal(self, kind: Kind) -> Iterator[list[Group]]:
        """End a hot frame, and write what is older behind it."""
        hot, self._hot[kind] = self._hot[kind], _Open()
        later, self._later[kind] = self._later[kind], []
        if not hot.ids:
            return
        yield from self._put(kind, hot)
        below = hot.through
        frame = _Open(depth=1, cost=below)
        for family in later:
            prefix = sum(map(len, frame.bases.values()))
            if frame.depth > 1 or prefix + len(family.base_data) > HOT_FRAME_SIZE:
                if frame.ids:
                    yield from self._put(kind, frame)
                frame = _Open(depth=1, cost=below)
            frame.bases[family.base] = family.base_data
            begun = False
            for identity in family.members:
                data = self._read(identity, kind)
                if frame.is_full(len(data), HISTORY_FRAME_SIZE):
                    yield from self._put(kind, frame)
                    if begun and _may_follow(frame, len(data)):
                        bases = {frame.ids[-1]: frame.parts[-1]}
                        frame = _Open(bases=bases, depth=frame.depth + 1, cost=frame.through)
                    else:
                        frame = _Open(bases={family.base: family.base_data}, depth=1, cost=below)
                frame.add(identity, data)
                begun = True
        if frame.ids:
            yield from self._put(kind, frame)


def _may_follow(frame: _Open, size: int) -> bool:
    """Whether an object of this size may be written against the last one of a history frame."""
    closure = frame.through * KIB + size
    return frame.depth < MAX_DELTA_DEPTH and closure <= max(DELTA_COST_FACTOR * size, HISTORY_COST_FLOOR)
