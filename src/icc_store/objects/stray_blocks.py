"""Finding blocks in the bare file of a database where LMDB does not lead to them any more, damaged ones included.

A block names its repository and has a uid, so its first bytes are searched for. Leaves of LMDB's trees tell where
blocks begin, whether or not anything leads to the leaf. And where all these are damaged, one of a block's later pages
tells: a block that has pages of its own fills them whole, and the check of each is known.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from icc_store.limits import MAX_STRAY_PLACES
from icc_store.objects.block import MAGIC, UID
from icc_store.objects.parity_cells import CELL_SIZE, PAGE_HEADER
from icc_store.objects.parity_group import check
from icc_store.store.lmdb_pages import numbered_values
from icc_store.store.plain_files import mapped

_BEFORE_REPOSITORY = 4


Page = tuple[bytes, int]
"""The uid of the block that a page is of, and how many pages of that stand before it."""


class StrayBlocks:
    """Where blocks of one repository may be in a file."""

    def __init__(self, data: bytes | mmap.mmap, repository: bytes) -> None:
        self._data = data
        self._places: dict[bytes, list[int]] = {}
        start = re.compile(re.escape(MAGIC) + b"." * _BEFORE_REPOSITORY + re.escape(repository), re.DOTALL)
        for match in start.finditer(data):
            at = match.start()
            self._places.setdefault(bytes(data[at + UID.start : at + UID.stop]), []).append(at)
        self._by_number: dict[int, list[tuple[int, int]]] = {}
        for number, at, size in numbered_values(data):
            self._by_number.setdefault(number, []).append((at, size))

    def find_pages(self, wanted: Mapping[bytes, Page]) -> None:
        """Look for blocks by their pages, named by their checks."""
        if not wanted:
            return
        for at in range(0, len(self._data), CELL_SIZE):
            page = wanted.get(check(self._data[at : at + CELL_SIZE]))
            if page is not None:
                uid, before = page
                begin = at - before * CELL_SIZE + PAGE_HEADER
                places = self._places.setdefault(uid, [])
                if begin >= 0 and begin not in places:
                    places.append(begin)

    def of(self, number: int, uid: bytes, size: int) -> Iterator[bytes]:
        """What stands where that block may begin: as many bytes as it has, whole or not."""
        named = (at for at, _ in self._by_number.get(number, ()))
        places = dict.fromkeys((*self._places.get(uid, ()), *named))
        for at in islice(places, MAX_STRAY_PLACES):
            data = bytes(self._data[at : at + size])
            if len(data) == size:
                yield data

    def above(self, last: int) -> Iterator[tuple[int, bytes]]:
        """What stands under the numbers above that one, as the leaves say."""
        for number in sorted(number for number in self._by_number if number > last):
            for at, size in self._by_number[number][:MAX_STRAY_PLACES]:
                yield number, bytes(self._data[at : at + size])


@contextmanager
def stray_blocks(path: Path, repository: bytes) -> Iterator[StrayBlocks]:
    """The blocks in a file that may be damaged in any way; in the body."""
    if not path.stat().st_size:
        yield StrayBlocks(b"", repository)
        return
    with mapped(path) as data:
        yield StrayBlocks(data, repository)
