"""Every whole block in the bytes of a file, whatever else is in it: what is left when nothing leads to them.

A block is known by its magic number, its sizes and its checksum, at whichever offset it begins. What stands inside a
whole block is its content and no block of its own, though it may look like one: people back up repositories too.
"""

from __future__ import annotations

import mmap
from collections import Counter
from collections.abc import Iterator

from icc_store.errors import IccStoreError
from icc_store.limits import MAX_SCANNED_BLOCK
from icc_store.objects.block import HEADER_SIZE, MAGIC, Block, decode_block, owner_of, stated_size

Bytes = bytes | mmap.mmap


def scan_blocks(data: Bytes, repository: bytes) -> Iterator[tuple[int, bytes, Block]]:
    """Offset, bytes and contents of each whole block of one repository, in the order of the file."""
    for at, stored in _whole(data):
        if owner_of(stored) == repository:
            yield at, stored, decode_block(stored, repository)


def owners(data: Bytes) -> Counter[bytes]:
    """The repositories that have blocks in a file, and how many each."""
    return Counter(owner_of(stored) for _, stored in _whole(data))


def _whole(data: Bytes) -> Iterator[tuple[int, bytes]]:
    # Python 3.11.2 reads a byte behind the end of what it searches: of a mapped file, that may be no memory.
    end = max(len(data) - HEADER_SIZE + len(MAGIC), 0)
    at = data.find(MAGIC, 0, end)
    while at >= 0:
        stored = _block_at(data, at)
        if stored is not None:
            yield at, stored
        at = data.find(MAGIC, at + (1 if stored is None else len(stored)), end)


def _block_at(data: Bytes, at: int) -> bytes | None:
    """The bytes of the block that begins here, if one does."""
    header = data[at : at + HEADER_SIZE]
    size = stated_size(header) if len(header) == HEADER_SIZE else 0
    if not HEADER_SIZE < size <= min(MAX_SCANNED_BLOCK, len(data) - at):
        return None
    stored = data[at : at + size]
    try:
        decode_block(stored, owner_of(stored))
    except IccStoreError:  # of a newer version as well: this program can do nothing with it
        return None
    return stored
