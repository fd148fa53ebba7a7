"""Blocks in the bytes of a file: every whole one is found at whichever offset it begins, and nothing else is."""

from __future__ import annotations

import json
import mmap
import random
from pathlib import Path

from icc_store.objects.block import HEADER_SIZE, encode_block
from icc_store.objects.block_scan import owners, scan_blocks
from tests.support.bounded import python
from tests.support.shelf import REPOSITORY, noise, plain_frame, words

OTHER = bytes(16)
PAGE = mmap.PAGESIZE


def block(seed: int, size: int = 500, repository: bytes = REPOSITORY) -> bytes:
    return encode_block(repository, [plain_frame(words(seed, size))])


def test_every_offset() -> None:
    """Wherever in a file, one after the other or far apart, in the order of the file."""
    chance = random.Random("offsets")
    blocks = [block(seed) for seed in range(40)]
    data, expected = b"", []
    for one in blocks:
        data += noise(len(data), chance.randrange(50))
        expected.append((len(data), one))
        data += one
    assert [(at, stored) for at, stored, _ in scan_blocks(data, REPOSITORY)] == expected


def test_damaged_blocks_hide_no_others() -> None:
    """A block of which any byte is wrong is none; one that begins in what it claims for itself is found."""
    bad, good = block(1), block(2)
    for at in range(len(bad)):
        changed = bytearray(bad)
        changed[at] ^= 1
        assert [stored for _, stored, _ in scan_blocks(bytes(changed) + good, REPOSITORY)] == [good]
    torn = bad[: HEADER_SIZE + 5] + good
    assert [stored for _, stored, _ in scan_blocks(torn + bytes(len(bad)), REPOSITORY)] == [good]


def test_content_is_no_block() -> None:
    """A block inside a whole block is what somebody stored."""
    inner = block(1)
    outer = encode_block(REPOSITORY, [plain_frame(noise(1, 5000) + inner)])
    assert inner in outer
    assert [stored for _, stored, _ in scan_blocks(outer, REPOSITORY)] == [outer]


def test_whose_blocks() -> None:
    """Blocks of other repositories are counted and left alone."""
    data = block(1) + block(2, repository=OTHER) + block(3)
    assert owners(data) == {REPOSITORY: 2, OTHER: 1}
    assert [at for at, _, _ in scan_blocks(data, OTHER)] == [len(block(1))]
    assert not owners(noise(1, 10_000))
    assert not owners(b"ICCB" * 100)


_AT_THE_EDGE = """
import mmap, pathlib
from icc_store.objects.block_scan import scan_blocks
whole, found = open(ARGS[0], "rb"), []
maps = [mmap.mmap(whole.fileno(), 0, access=mmap.ACCESS_READ) for _ in range(200)]
for one in maps[::2]:
    one.close()
for one in maps[1::2]:
    found.append([at for at, _, _ in scan_blocks(one, bytes.fromhex(ARGS[1]))])
print(json.dumps(found))
"""


def test_nothing_is_read_behind_the_file(tmp_path: Path) -> None:
    """Where a mapped file ends with a page, the next page is no memory; Python's own search looks at its first byte."""
    one = block(1, 3000)
    for seed in range(8):  # it skips most bytes, so that it depends on them whether it comes to that one
        (tmp_path / "file").write_bytes(bytes(PAGE) + one + noise(seed, -len(one) % PAGE))
        done = python(_AT_THE_EDGE, str(tmp_path / "file"), REPOSITORY.hex())
        assert done.code == 0, done
        assert json.loads(done.out) == [[PAGE]] * 100
