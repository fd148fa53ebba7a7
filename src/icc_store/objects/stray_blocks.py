"""Finding blocks in the bare file of a database where LMDB does not lead to them any more, damaged ones included.

A block names its repository and has a uid, so its first bytes are searched for. Where just those are damaged, one of
its later pages tells: a block that has pages of its own fills them whole, and the check of each is known.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from icc_store.objects.block import MAGIC, UID
from icc_store.objects.parity_cells import CELL_SIZE, PAGE_HEADER
from icc_store.objects.parity_group import check

_BEFORE_REPOSITORY = 4


@dataclass(frozen=True, slots=True)
class Page:
    """A page that is known by its check: whose it is, and how many pages of the same block stand before it."""

    uid: bytes
    size: int
    before: int


class StrayBlocks:
    """Where blocks of one repository may be in a file."""

    def __init__(self, data: bytes | mmap.mmap, repository: bytes) -> None:
        self._data = data
        self._places: dict[bytes, list[int]] = {}
        start = re.compile(re.escape(MAGIC) + b"." * _BEFORE_REPOSITORY + re.escape(repository), re.DOTALL)
        for match in start.finditer(data):
            at = match.start()
            self._places.setdefault(bytes(data[at + UID.start : at + UID.stop]), []).append(at)

    def knows(self, uid: bytes) -> bool:
        """Whether the beginning of the block of that uid was found."""
        return uid in self._places

    def find_pages(self, wanted: Mapping[bytes, Page]) -> None:
        """Look for blocks by their pages, named by their checks."""
        if not wanted:
            return
        for at in range(0, len(self._data), CELL_SIZE):
            page = wanted.get(check(self._data[at : at + CELL_SIZE]))
            if page is not None:
                begin = at - page.before * CELL_SIZE + PAGE_HEADER
                places = self._places.setdefault(page.uid, [])
                if begin >= 0 and begin not in places:
                    places.append(begin)

    def of(self, uid: bytes, size: int) -> Iterator[bytes]:
        """What stands where a block of that uid begins: as many bytes as it has, whole or not."""
        for at in self._places.get(uid, ()):
            yield bytes(self._data[at : at + size])


@contextmanager
def stray_blocks(path: Path, repository: bytes) -> Iterator[StrayBlocks]:
    """The blocks in a file that may be damaged in any way; in the body."""
    with path.open("rb") as file:
        if not path.stat().st_size:
            yield StrayBlocks(b"", repository)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield StrayBlocks(data, repository)
