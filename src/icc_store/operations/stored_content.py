"""Contents of files in the repository: whether two are the same, and what a line diff reads of one."""

from __future__ import annotations

from collections.abc import Iterator

from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TEXT_SIZE
from icc_store.model.content import HOLE, Piece, list_pieces, whole_content
from icc_store.model.entry import Entry
from icc_store.model.tree import Objects

_STEP = 1 << 20


def stored_text(objects: Objects, entry: Entry | None) -> bytes | None:
    """The content of an entry for a line diff: nothing for what is no file, None for what is too large."""
    if entry is None or not entry.is_file:
        return b""
    if entry.size > MAX_TEXT_SIZE:
        return None
    return whole_content(objects, entry.chunk, entry.content_list)


def same_content(objects: Objects, one: Entry, two: Entry) -> bool:
    """Whether two files of one repository have the same bytes, however they were cut when they were stored.

    Chunks that stand at the same place in both are not read.
    """
    if (one.chunk, one.content_list, one.size) == (two.chunk, two.content_list, two.size):
        return True
    if one.size != two.size or (one.content_list is None and two.content_list is None):
        return False
    left, right = _Stream(objects, one), _Stream(objects, two)
    while left.fill() and right.fill():
        if left.whole is not None and left.whole == right.whole:
            left.skip()
            right.skip()
            continue
        size = min(left.left, right.left)
        if left.take(size) != right.take(size):
            return False
    return not (left.fill() or right.fill())


class _Stream:
    """The pieces of a file, taken bit by bit."""

    def __init__(self, objects: Objects, entry: Entry) -> None:
        self._objects = objects
        self._pieces = _pieces(objects, entry)
        self._data = b""
        self.piece: Piece | None = None
        self.at = 0
        """Bytes of the piece that were taken."""

    @property
    def whole(self) -> tuple[ObjectId, int] | None:
        """Id and length of the piece at hand, when nothing of it was taken."""
        return (self.piece.id, self.piece.length) if self.piece is not None and self.at == 0 else None

    @property
    def left(self) -> int:
        """Bytes that can be taken at once."""
        return 0 if self.piece is None else min(self.piece.length - self.at, _STEP)

    def fill(self) -> bool:
        """Have a piece at hand. False at the end."""
        if self.piece is None:
            self.piece = next(self._pieces, None)
            self.at, self._data = 0, b""
        return self.piece is not None

    def skip(self) -> None:
        """Be done with the piece at hand."""
        self.piece = None

    def take(self, size: int) -> bytes:
        """The next `size` bytes of the piece at hand."""
        piece, start = self.piece, self.at
        if piece is None:
            return b""
        self.at += size
        if self.at >= piece.length:
            self.piece = None
        if piece.id == HOLE:
            return bytes(size)
        self._data = self._data or self._objects.get(piece.id, Kind.CHUNK)
        return self._data[start : start + size]


def _pieces(objects: Objects, entry: Entry) -> Iterator[Piece]:
    if entry.chunk is not None:
        return iter((Piece(entry.chunk, entry.size, entry.chunk),))
    return iter(()) if entry.content_list is None else list_pieces(objects, entry.content_list)
