"""Files into chunks and content lists.

A large file is cut by content. Chunks that an earlier version of the file has are found again by id; what is new
between two of those is written against the old chunks that stood there, so that an edit costs about what it changed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Protocol

from icc_store.codec.chunking import ChunkerParameters, Stream, cut, parameters_for
from icc_store.codec.hashing import chunk_id
from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_BASES, MIB
from icc_store.model.content import HOLE, Piece, ends_part, list_pieces, pack_list, read_list
from icc_store.model.tree import Objects

_WINDOW = 4096
"""Pieces of the earlier version that are looked ahead for a match."""

_NEAR = 64
"""How far ahead a piece may stand that the earlier version has several times."""

_GAP_BYTES = 8 * MIB
"""New bytes held back while looking for the next match."""


class Adder(Protocol):
    """Where objects go."""

    def has(self, identity: ObjectId) -> bool:
        """Whether the object is stored or waits to be."""

    def add(
        self, kind: Kind, data: bytes, *, identity: ObjectId | None = None, bases: Sequence[ObjectId] = ()
    ) -> ObjectId:
        """Store an object unless it is there."""


class _ListBuilder:
    """Gathers entries of one level into parts, and the parts into the level above."""

    def __init__(self, adder: Adder, level: int, chunker: ChunkerParameters) -> None:
        self._adder = adder
        self._level = level
        self._chunker = chunker
        self._ids: list[ObjectId] = []
        self._lengths: list[int] = []
        self._above: _ListBuilder | None = None

    def append(self, identity: ObjectId, length: int, earlier: ObjectId | None) -> None:
        self._ids.append(identity)
        self._lengths.append(length)
        if ends_part(identity, len(self._ids)):
            self._end_part(earlier)

    def _end_part(self, earlier: ObjectId | None) -> None:
        data = pack_list(self._level, self._ids, self._lengths, None)
        part = self._adder.add(Kind.LIST, data, bases=(earlier,) if earlier else ())
        if self._above is None:
            self._above = _ListBuilder(self._adder, self._level + 1, self._chunker)
        self._above.append(part, sum(self._lengths), None)
        self._ids, self._lengths = [], []

    def finish(self, earlier_part: ObjectId | None, earlier_root: ObjectId | None) -> ObjectId:
        """Store what is left and return the id of the root."""
        if self._above is None:
            data = pack_list(self._level, self._ids, self._lengths, self._chunker)
            return self._adder.add(Kind.LIST, data, bases=(earlier_root,) if earlier_root else ())
        if self._ids:
            self._end_part(earlier_part)
        return self._above.finish(None, earlier_root)


class _Earlier:
    """The pieces of the earlier version, looked at through a window that moves with the new one.

    They end where it cannot be read: what comes after that is stored as if it were new.
    """

    def __init__(self, pieces: Iterator[Piece]) -> None:
        self._source = pieces
        self._ahead: deque[Piece] = deque()
        self._where: dict[ObjectId, deque[int]] = {}
        self._passed = 0
        self.part: ObjectId | None = None
        self._fill()

    def _fill(self) -> None:
        while len(self._ahead) < _WINDOW:
            try:
                piece = next(self._source, None)
            except DamageError:
                piece = None
            if piece is None:
                return
            self._where.setdefault(piece.id, deque()).append(self._passed + len(self._ahead))
            self._ahead.append(piece)

    def __contains__(self, identity: ObjectId) -> bool:
        """Whether the new version can go on from that piece: far ahead only when nothing else looks like it."""
        where = self._where.get(identity)
        return where is not None and (len(where) == 1 or where[0] - self._passed <= _NEAR)

    def up_to(self, identity: ObjectId) -> list[Piece]:
        """Take the pieces before the one of that id, and the one itself; return those before it."""
        count = self._where[identity][0] - self._passed
        before = self.take(count)
        self.take(1)
        return before

    def peek(self, size: int) -> list[Piece]:
        """The next pieces, up to about `size` bytes, without taking them."""
        found, total = [], 0
        for piece in self._ahead:
            if total >= size:
                break
            found.append(piece)
            total += piece.length
        return found

    def take(self, count: int) -> list[Piece]:
        taken = []
        for _ in range(min(count, len(self._ahead))):
            piece = self._ahead.popleft()
            where = self._where[piece.id]
            where.popleft()
            if not where:
                del self._where[piece.id]
            self._passed += 1
            self.part = piece.part
            taken.append(piece)
        self._fill()
        return taken


def store_stream(
    adder: Adder,
    objects: Objects,
    extents: Iterable[Stream | int],
    *,
    size: int,
    earlier_chunk: ObjectId | None = None,
    earlier_list: ObjectId | None = None,
    ahead: bool = True,
) -> tuple[ObjectId, int]:
    """Store a file given as data streams and holes (an int: that many bytes); return its list's id and its size.

    `size` is a guess that picks the chunker's parameters, unless an earlier version of the file already did. Nothing is
    read `ahead` where reading may wait for somebody: a thread that does cannot be interrupted.
    """
    parameters = parameters_for(size)
    pieces: Iterator[Piece] = iter(())
    if earlier_list is not None:
        parameters = _chunker_of(objects, earlier_list) or parameters
        pieces = list_pieces(objects, earlier_list)
    elif earlier_chunk is not None:
        pieces = iter([Piece(earlier_chunk, max(size, 1), earlier_chunk)])
    run = _StreamRun(adder, _Earlier(pieces), _ListBuilder(adder, 0, parameters))
    for extent in extents:
        if isinstance(extent, int):
            run.hole(extent)
        else:
            lists = cut(extent, parameters)
            with closing(_read_ahead(lists) if ahead else lists) as read:  # no thread may read on after a failure
                for chunks in read:
                    for data in chunks:
                        run.chunk(data)
    return run.finish(earlier_list), run.size


def _read_ahead(lists: Iterator[list[memoryview]]) -> Generator[list[memoryview]]:
    """Lists of chunks, while another thread reads and cuts the next one, where there are more than a few."""
    chunks, following = next(lists, []), next(lists, None)
    yield chunks
    if following is None:
        return
    # Here, since most snapshots meet no large file, and it takes 8 ms to load.
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1, thread_name_prefix="cut") as pool:
        while following is not None:
            chunks, coming = following, pool.submit(next, lists, None)
            yield chunks
            following = coming.result()


def _chunker_of(objects: Objects, earlier: ObjectId) -> ChunkerParameters | None:
    """What an earlier version of a file was cut with, or None where that cannot be read any more."""
    try:
        return read_list(objects, earlier).chunker
    except DamageError:
        return None


class _StreamRun:
    def __init__(self, adder: Adder, earlier: _Earlier, builder: _ListBuilder) -> None:
        self._adder = adder
        self._earlier = earlier
        self._builder = builder
        self._gap: list[tuple[ObjectId, bytes]] = []
        self._gap_bytes = 0
        self.size = 0

    def hole(self, length: int) -> None:
        self._end_gap(self._earlier.peek(self._gap_bytes))
        self._entry(HOLE, length)

    def chunk(self, data: memoryview) -> None:
        identity = chunk_id(data)
        if identity in self._earlier:
            self._end_gap(self._earlier.up_to(identity))
            self._entry(identity, len(data))
            if not self._adder.has(identity):
                self._adder.add(Kind.CHUNK, bytes(data), identity=identity)
            return
        self._gap.append((identity, bytes(data)))
        self._gap_bytes += len(data)
        if self._gap_bytes >= _GAP_BYTES:
            old = self._earlier.peek(self._gap_bytes)
            self._earlier.take(len(old))
            self._end_gap(old)

    def finish(self, earlier_list: ObjectId | None) -> ObjectId:
        self._end_gap(self._earlier.peek(self._gap_bytes))
        return self._builder.finish(self._earlier.part, earlier_list)

    def _entry(self, identity: ObjectId, length: int) -> None:
        self._builder.append(identity, length, self._earlier.part)
        self.size += length

    def _end_gap(self, old: list[Piece]) -> None:
        """Store the new chunks of a gap against the old ones that stood at about the same place in it."""
        old = [piece for piece in old if piece.id != HOLE]
        scale = sum(piece.length for piece in old) / max(self._gap_bytes, 1)
        position = 0
        for identity, data in self._gap:
            if self._adder.has(identity):
                bases: list[ObjectId] = []
            else:
                bases = _overlapping(old, position * scale, (position + len(data)) * scale)
            self._adder.add(Kind.CHUNK, data, identity=identity, bases=bases)
            self._entry(identity, len(data))
            position += len(data)
        self._gap, self._gap_bytes = [], 0


def _overlapping(old: list[Piece], start: float, end: float) -> list[ObjectId]:
    """Old chunks around the bytes from `start` to `end`, the one in the middle first."""
    middle = (start + end) / 2
    near: list[tuple[float, ObjectId]] = []
    at = 0
    for piece in old:
        if at < end and at + piece.length > start:
            near.append((abs(at + piece.length / 2 - middle), piece.id))
        at += piece.length
    return [identity for _, identity in sorted(near)[:MAX_BASES]]
