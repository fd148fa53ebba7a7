"""Reading LMDB's trees out of the bare bytes of a file, without liblmdb: what its pages still lead to.

Nothing that stands in a page is trusted. A page that is damaged, lies outside the file or was met before ends its
branch and is counted; everything else is read on. The layout is that of LMDB 0.9 on a 64-bit little-endian machine
(docs/format.md, *data.mdb*).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from icc_store.errors import DamageError
from icc_store.ids import ID_SIZE
from icc_store.store.head import Head
from icc_store.store.lmdb_transaction import BLOCKS, COMMIT_KEY, commit_of
from icc_store.store.protocol import Table

Bytes = bytes | mmap.mmap

_PAGE = struct.Struct("<QHHHH")
_NODE = struct.Struct("<HHHH")
_TREE = struct.Struct("<IHHQQQQQ")
_META = struct.Struct("<II16x")
_U64 = struct.Struct("<Q")
_NUMBER = struct.Struct(">Q")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _META_PAGE = 1, 2, 8
_BIG, _SUBTREE = 1, 2
_USUAL_PAGE = 4096
_PAGE_SIZES = tuple(1 << bits for bits in range(9, 17))
_NO_PAGE = (1 << 64) - 1


@dataclass(frozen=True)
class Tree:
    """The root of one tree, and how many rows it says it has."""

    root: int
    entries: int


@dataclass(frozen=True)
class Meta:
    """One of the two first pages: a commit, and its tree of tables."""

    commit: int
    page_size: int
    tables: Tree


@dataclass(frozen=True)
class Listing:
    """The ids in a table; `complete` when no row of it is missing."""

    ids: tuple[bytes, ...] = ()
    complete: bool = False


@dataclass(frozen=True)
class Guide:
    """What the newest commit in a file leads to, as far as its pages can be read."""

    numbers: dict[int, int]
    """Block numbers, by the offset at which the block begins."""
    snapshots: Listing = Listing()
    annotations: Listing = Listing()
    commit: Head | None = None
    newest: bool = False
    """Whether both first pages agree that no commit was after this one."""


def guide(data: Bytes) -> Guide:
    """What the newest commit that can be found leads to; nothing where there is none."""
    metas = sorted(_metas(data), key=lambda meta: meta.commit, reverse=True)
    if not metas:
        return Guide({})
    pages = _Pages(data, metas[0].page_size)
    tables = dict(pages.tables(metas[0].tables))
    numbers = {
        offset: _NUMBER.unpack(key)[0] for key, offset, _ in pages.rows(tables.get(BLOCKS)) if len(key) == _NUMBER.size
    }
    commit = None
    for key, offset, size in pages.rows(tables.get(Table.META.value.encode())):
        if key == COMMIT_KEY:
            try:
                commit = commit_of(data[offset : offset + size])
            except DamageError:
                break
    return Guide(
        numbers,
        _listing(pages, tables.get(Table.SNAPSHOTS.value.encode())),
        _listing(pages, tables.get(Table.ANNOTATIONS.value.encode())),
        commit,
        len(metas) == 2 and metas[0].commit == metas[1].commit + 1,
    )


def numbered_values(data: Bytes) -> Iterator[tuple[int, int, int]]:
    """Number, offset and size of each value that any page says is under a number, whatever leads to that page.

    Pages that are no longer in use say so as well.
    """
    page_size = next((meta.page_size for meta in _metas(data)), _USUAL_PAGE)
    pages = _Pages(data, page_size)
    for number in range(len(data) // page_size):
        for key, offset, size in pages.values(number):
            if len(key) == _NUMBER.size:
                yield _NUMBER.unpack(key)[0], offset, size


def _listing(pages: _Pages, tree: Tree | None) -> Listing:
    ids = [
        pages.data[offset : offset + size]
        for key, offset, size in pages.rows(tree)
        if (len(key), size) == (_NUMBER.size, ID_SIZE)
    ]
    return Listing(tuple(ids), tree is not None and len(ids) == tree.entries)


def _metas(data: Bytes) -> Iterator[Meta]:
    """Those of the two first pages that can be read. The second begins where the first page ends."""
    first = _meta(data, 0)
    if first is not None:
        yield first
    for at in _PAGE_SIZES if first is None else (first.page_size,):
        second = _meta(data, at)
        if second is not None and second.page_size == at:
            yield second
            return


def _meta(data: Bytes, at: int) -> Meta | None:
    tables_at = at + _PAGE.size + _META.size + _TREE.size
    if len(data) < tables_at + _TREE.size + 2 * _U64.size:
        return None
    _, _, flags, _, _ = _PAGE.unpack_from(data, at)
    magic, version = _META.unpack_from(data, at + _PAGE.size)
    page_size = _TREE.unpack_from(data, tables_at - _TREE.size)[0]
    if not flags & _META_PAGE or (magic, version) != (_MAGIC, _VERSION) or page_size not in _PAGE_SIZES:
        return None
    commit = _U64.unpack_from(data, tables_at + _TREE.size + _U64.size)[0]
    return Meta(commit, page_size, _tree(data, tables_at))


def _tree(data: Bytes, at: int) -> Tree:
    fields = _TREE.unpack_from(data, at)
    return Tree(fields[7], fields[6])


class _Pages:
    def __init__(self, data: Bytes, page_size: int) -> None:
        self.data = data
        self._size = page_size
        self._met: set[int] = set()

    def tables(self, tree: Tree) -> Iterator[tuple[bytes, Tree]]:
        """The named tables."""
        for key, offset, size in self.rows(tree, flag=_SUBTREE):
            if size == _TREE.size:
                yield key, _tree(self.data, offset)

    def rows(self, tree: Tree | None, *, flag: int = 0) -> Iterator[tuple[bytes, int, int]]:
        """Key, offset and size of each value of a tree, in no special order; `flag` picks nodes of that kind."""
        waiting = [] if tree is None or tree.root == _NO_PAGE else [tree.root]
        while waiting:
            number = waiting.pop()
            start = number * self._size
            if number in self._met or not 0 < start <= len(self.data) - self._size:
                continue
            self._met.add(number)
            page = self.data[start : start + self._size]
            flags, nodes = self._nodes(number, page)
            for at in nodes:
                low, high, third, key_size = _NODE.unpack_from(page, at)
                if flags == _BRANCH:
                    waiting.append(low | high << 16 | third << 32)
                    continue
                key, value = page[at + _NODE.size : at + _NODE.size + key_size], at + _NODE.size + key_size
                size = low | high << 16
                if third == flag and value + size <= self._size:
                    yield key, start + value, size
                elif third == flag | _BIG:
                    yield from self._large(key, page[value : value + _U64.size], size)

    def values(self, number: int) -> Iterator[tuple[bytes, int, int]]:
        """Key, offset and size of the values that a leaf says there are; none for another page."""
        page = self.data[number * self._size : (number + 1) * self._size]
        flags, nodes = self._nodes(number, page)
        for at in nodes if flags == _LEAF else ():
            low, high, third, key_size = _NODE.unpack_from(page, at)
            value, size = at + _NODE.size + key_size, low | high << 16
            if third == _BIG:
                yield from self._large(page[at + _NODE.size : value], page[value : value + _U64.size], size)
            elif not third and value + size <= self._size:
                yield page[at + _NODE.size : value], number * self._size + value, size

    def _nodes(self, number: int, page: bytes) -> tuple[int, list[int]]:
        """The kind of a page, and where its nodes are; none where it is not the page of that number."""
        own, _, flags, lower, _ = _PAGE.unpack_from(page)
        if own != number or flags not in (_BRANCH, _LEAF) or not _PAGE.size <= lower <= self._size:
            return 0, []
        pointers = struct.iter_unpack("<H", page[_PAGE.size : _PAGE.size + (lower - _PAGE.size) // 2 * 2])
        return flags, [at for (at,) in pointers if at + _NODE.size <= self._size]

    def _large(self, key: bytes, page: bytes, size: int) -> Iterator[tuple[bytes, int, int]]:
        if len(page) == _U64.size:
            begin = _U64.unpack(page)[0] * self._size + _PAGE.size
            if begin + size <= len(self.data):
                yield key, begin, size
