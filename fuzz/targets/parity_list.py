"""Lists of groups of parity, on pages whose checksums are right, and all that is done with a group."""

from __future__ import annotations

import struct

from fuzz.parity import InputFile, golden
from fuzz.structure import MSGPACK
from icc_store.codec.hashing import checksum
from icc_store.codec.serial import unpack
from icc_store.objects.parity_group import read_group
from icc_store.objects.parity_rebuild import rebuild
from icc_store.objects.stray_blocks import StrayBlocks

ALLOWED: tuple[type[BaseException], ...] = ()
FORMS = (MSGPACK,)

_OWNER = golden().owner
_SEED = bytes(range(16))
_PAGE = struct.Struct("<8s16s16sIIIII")
_PIECE = 4020
_PIECES, _SIZE = 40, 48
_MOST_CELLS = 20_000
_FILE = InputFile()


def fuzz_one(data: bytes) -> None:
    """What is read as a group can be asked for everything, and makes no blocks of nothing."""
    if not data:
        return
    pieces = [data[at : at + _PIECE].ljust(_PIECE, b"\0") for at in range(0, len(data), _PIECE)]
    pages = []
    for number, piece in enumerate(pieces):
        head = _PAGE.pack(b"ICCPAR1\n", _OWNER, _SEED, len(pieces), number, len(data), _sums(data), 0)
        pages.append(head + checksum(head + piece) + piece)
    group = read_group(_FILE.holding(b"".join(pages)), _OWNER)
    if group is None or len(group.cell_checks) > 8 * _MOST_CELLS:
        return
    lost = group.lost_sums()
    if lost != group.shape.words * group.shape.sums:
        raise AssertionError("there are sums in a file that has none")
    nothing = StrayBlocks(b"", _OWNER)
    for number, block in rebuild(group, _OWNER, lambda _: None, nothing, scratch=_FILE.folder):
        if block is not None:
            raise AssertionError(f"block {number} was made of nothing")


def _sums(data: bytes) -> int:
    """As many as the list has checks of."""
    try:
        return min(len(unpack(data)[4]) // 8, (1 << 32) - 1)
    except (ValueError, TypeError, LookupError):
        return 0


def _listing() -> bytes:
    """The golden list."""
    data = golden().group
    (pieces,), (size,) = struct.unpack_from("<I", data, _PIECES), struct.unpack_from("<I", data, _SIZE)
    return b"".join(data[number * 4096 + 76 : (number + 1) * 4096] for number in range(pieces))[:size]


SEEDS = [_listing()]
