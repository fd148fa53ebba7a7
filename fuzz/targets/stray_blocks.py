"""Looking for blocks in the bare file of a damaged database."""

from __future__ import annotations

from fuzz.parity import golden
from icc_store.objects.block import HEADER_SIZE, MAGIC
from icc_store.objects.parity_group import check
from icc_store.objects.stray_blocks import StrayBlocks
from icc_store.store.lmdb_pages import numbered_values

ALLOWED: tuple[type[BaseException], ...] = ()

_OWNER = golden().owner
_PAGE = 4096


def fuzz_one(data: bytes) -> None:
    """Places are within the file, and what is found has the length that was asked for."""
    found = StrayBlocks(data, _OWNER)
    found.find_pages({check(data[:_PAGE]): (bytes(16), 1)})
    for number, at, size in numbered_values(data):
        if not 0 <= at <= at + size <= len(data):
            raise AssertionError(f"block {number} is said to be outside of the file")
        if any(len(piece) != size for piece in found.of(number, bytes(16), size)):
            raise AssertionError(f"block {number} has another length")


def _leaves() -> list[bytes]:
    """Pages of the golden database at their places, from its beginning."""
    data = golden().database
    begins = [data.find(MAGIC, at) for at in range(0, len(data), len(data) // 4)]
    return [data[: 8 * _PAGE], *(data[begin : begin + HEADER_SIZE] for begin in begins if begin >= 0)]


SEEDS = _leaves()
