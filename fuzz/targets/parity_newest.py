"""Second copies of the newest blocks: as they are, and with the checksums of state and records put right."""

from __future__ import annotations

import struct

from fuzz.parity import InputFile, golden
from icc_store.codec.hashing import checksum
from icc_store.store.newest_blocks import NewestBlocks, pieced_together

ALLOWED: tuple[type[BaseException], ...] = ()

_OWNER = golden().owner
_STATE, _START, _HEAD = 88, 128, 16
_FILE = InputFile()


def fuzz_one(data: bytes) -> None:
    """Whatever is in it can be read, and lies in the file."""
    for one in (data, _mended(data)):
        newest = NewestBlocks(_FILE.holding(one), _OWNER)
        newest.state()
        content = newest.content()
        if sum(map(len, content.copies.values())) > len(one):
            raise AssertionError("there is more in it than it is long")
        for number, block in content.damaged_copies.items():
            if pieced_together([block], content.checks[number]) is not None:
                raise AssertionError(f"the copy of block {number} is damaged, and all its pieces are right")


def _mended(data: bytes) -> bytes:
    made = bytearray(data)
    if len(made) >= _START:
        made[_STATE : _STATE + 16] = checksum(bytes(made[:_STATE]))
    at = made.find(b"ICCN", _START)
    while 0 <= at <= len(made) - 2 * _HEAD:
        (size,) = struct.unpack_from("<I", made, at + 4)
        checks = -(-(size + 16) // 4096) * 8 if size else 0
        body = at + 2 * _HEAD
        made[at + _HEAD : body] = checksum(bytes(made[at : at + _HEAD] + made[body : body + checks]))
        at = made.find(b"ICCN", at + 4)
    return bytes(made)


SEEDS = [golden().newest, golden().newest[:_START], golden().newest[: _START + 200]]
