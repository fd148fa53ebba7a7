"""Files of groups of parity: as they are, and with the checksum of each page of the list put right."""

from __future__ import annotations

from fuzz.parity import InputFile, golden
from icc_store.codec.hashing import checksum
from icc_store.objects.parity_group import read_group

ALLOWED: tuple[type[BaseException], ...] = ()

_OWNER = golden().owner
_PAGE, _HEAD = 4096, 60
_FILE = InputFile()


def fuzz_one(data: bytes) -> None:
    """A group or none; its sums can be counted."""
    pages = [data[at : at + _PAGE] for at in range(0, len(data), _PAGE)]
    mended = (page[:_HEAD] + checksum(page[:_HEAD] + page[_HEAD + 16 :]) + page[_HEAD + 16 :] for page in pages)
    for one in (data, b"".join(mended)):
        group = read_group(_FILE.holding(one), _OWNER)
        if group is not None and not 0 <= group.lost_sums() <= group.shape.words * group.shape.sums:
            raise AssertionError("more sums are lost than there are")


def _pages_of_lists() -> bytes:
    """Of the golden group, the pages of its list and the sums of those."""
    data = golden().group
    pages = (data[at : at + _PAGE] for at in range(0, len(data), _PAGE))
    return b"".join(page for page in pages if page.startswith(b"ICCPAR1"))


SEEDS = [_pages_of_lists(), _pages_of_lists()[:_PAGE], golden().group]
