"""What the golden repository holds, as inputs to start from: real blocks, trees, lists, records and rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from icc_store.ids import Kind
from icc_store.objects.block import decode_block
from icc_store.opening import open_repository
from icc_store.store.protocol import Table
from tests.golden.unpacked import unpack

_ARCHIVE = Path(__file__).parent.parent / "tests" / "golden" / "repository-v1.tar.xz"
_LARGEST = 32 * 1024
"""Bytes of an input: a mutation of something larger seldom hits what matters in it."""
_MOST = 16


class _Golden:
    """All of it, read once."""

    def __init__(self) -> None:
        self.objects: dict[int, list[bytes]] = {}
        with tempfile.TemporaryDirectory() as place:
            unpack(_ARCHIVE, Path(place))
            path = next(Path(place).rglob("repository.json")).parent
            self.header = (path / "repository.json").read_bytes()
            self.head = (path / "head").read_bytes()
            with open_repository(path, readonly=True) as repository:
                self.owner = repository.header.repository
                transaction = repository.objects.transaction
                self.rows = list(transaction.rows())
                self.seen = [row for _, row in transaction.items(Table.SEEN)]
                blocks = list(transaction.blocks())
                for number, data in blocks:
                    block = decode_block(data, self.owner)
                    for which, frame in enumerate(block.frames):
                        plain = repository.objects.frame_plain(number, block, which)
                        for length in frame.lengths:
                            self.objects.setdefault(frame.kind, []).append(plain[:length])
                            plain = plain[length:]
        self.blocks = [data for _, data in blocks]


_golden = cache(_Golden)


def blocks() -> list[bytes]:
    """Whole blocks."""
    return _some(_golden().blocks)


def owner() -> bytes:
    """The id of the repository that the blocks belong to."""
    return _golden().owner


def objects(kind: Kind) -> list[bytes]:
    """The plain bytes of objects of one kind."""
    return _some(_golden().objects.get(kind, []))


def index_rows() -> list[bytes]:
    """Rows of the index."""
    return _some(_golden().rows)


def seen_rows() -> list[bytes]:
    """The program's notes for its next snapshot."""
    return _some(_golden().seen)


def header() -> bytes:
    """The file `repository.json`."""
    return _golden().header


def head() -> bytes:
    """The file `head`."""
    return _golden().head


def _some(found: Iterable[bytes]) -> list[bytes]:
    """A few of them, of all sizes, the same ones each time."""
    fitting = sorted({one for one in found if len(one) <= _LARGEST}, key=lambda one: (len(one), one))
    return fitting[:: max(1, len(fitting) // _MOST)]
