"""Blocks brought back from parity without this program: reads `parity/` from docs/format.md alone.

Needs the packages lmdb, msgpack and blake3, and nothing of icc_store.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import lmdb
import msgpack
from blake3 import blake3

CELL = 4096
SMALL = 2000
PAGE_HEADER = 16
SPARE = 32
PAGE = struct.Struct("<8s16s16sIIIII")
STATE = struct.Struct("<8s16s8Q")
RECORD = struct.Struct("<4sIQ")
PIECE = CELL - PAGE.size - 16


class Group(NamedTuple):
    """What a group's list says, and its sums."""

    seed: bytes
    numbers: list[int]
    uids: list[bytes]
    sizes: list[int]
    checks: list[bytes]
    permille: int
    sums: list[bytes]


class Newest(NamedTuple):
    """The numbers of a state, the second copies, and the numbers of removed blocks."""

    state: tuple[int, ...]
    copies: dict[int, bytes]
    removed: set[int]


def checksum(data: bytes) -> bytes:
    return blake3(data).digest()[:16]


def up(value: int, divisor: int) -> int:
    return -(-value // divisor)


def stored_blocks(repository: Path) -> dict[int, bytes]:
    """What the database has, by number."""
    with lmdb.open(str(repository), readonly=True, lock=False, max_dbs=16) as env, env.begin() as txn:
        rows = txn.cursor(db=env.open_db(b"blocks", txn=txn, create=False))
        return {int.from_bytes(key): value for key, value in rows}


def read_group(file: Path, repository: bytes) -> Group:
    """A group whose file is not damaged."""
    data = file.read_bytes()
    pages = [data[at : at + CELL] for at in range(0, len(data), CELL)]
    magic, owner, seed, pieces, _, size, sums, zero = PAGE.unpack_from(pages[0])
    assert (magic, owner, zero) == (b"ICCPAR1\n", repository, 0)
    joined = b""
    for number, page in enumerate(pages[:pieces]):
        assert page[60:76] == checksum(page[:60] + page[76:])
        assert PAGE.unpack_from(page)[4] == number
        joined += page[76:]
    numbers, uids, sizes, checks, sum_checks, permille = msgpack.unpackb(joined[:size])
    assert not any(joined[size:])
    stored = pages[pieces : pieces + sums]
    assert sum_checks == b"".join(checksum(one)[:8] for one in stored)
    behind = pages[pieces + sums :]
    assert [page[76:] for page in behind] == sums_of(seed, pieces + 16, enumerate(page[76:] for page in pages[:pieces]))
    return Group(
        seed,
        numbers,
        [uids[at : at + 16] for at in range(0, len(uids), 16)],
        sizes,
        [checks[at : at + 8] for at in range(0, len(checks), 8)],
        permille,
        stored,
    )


def places(sizes: list[int]) -> list[tuple[int, int]]:
    """Cell and offset at which each block begins."""
    found, cell, used = [], 0, 0
    for size in sizes:
        if size <= SMALL:
            if used + size > CELL:
                cell, used = cell + 1, 0
            found.append((cell, used))
            used += size
        else:
            cell += bool(used)
            found.append((cell, PAGE_HEADER))
            cell, used = cell + up(PAGE_HEADER + size, CELL), 0
    return found


def picks(seed: bytes, cell: int, sums: int) -> Iterator[int]:
    drawn = blake3(seed + struct.pack("<Q", cell)).digest(length=60)
    return (number % sums for number in struct.unpack("<15I", drawn))


def sums_of(seed: bytes, count: int, cells: Iterator[tuple[int, bytes]]) -> list[bytes]:
    """So many sums of numbered cells."""
    made, size = [0] * count, 0
    for number, cell in cells:
        size = len(cell)
        for one in picks(seed, number, count):
            made[one] ^= int.from_bytes(cell)
    return [value.to_bytes(size) for value in made]


def bring_back(group: Group, blocks: dict[int, bytes]) -> dict[int, bytes]:
    """The blocks of a group that are not among these, from the others and the sums."""
    where = places(group.sizes)
    image = bytearray(CELL * len(group.checks))
    for number, size, (cell, offset) in zip(group.numbers, group.sizes, where, strict=True):
        begin = cell * CELL + offset
        image[begin : begin + size] = blocks.get(number, bytes(size))
    cells = [bytes(image[at : at + CELL]) for at in range(0, len(image), CELL)]
    lost = [number for number, cell in enumerate(cells) if checksum(cell)[:8] != group.checks[number]]
    words = max(1, up(up(len(cells) * group.permille, 1000), 2016))
    sums = up(up(len(cells), words) * group.permille, 1000) + SPARE
    assert len(group.sums) == words * sums
    for word in range(words):
        wanted = [number for number in lost if number % words == word]
        for number, cell in solved(group, word, words, wanted, cells, group.sums[word * sums : (word + 1) * sums]):
            image[number * CELL : (number + 1) * CELL] = cell
    found = {}
    for number, uid, size, (cell, offset) in zip(group.numbers, group.uids, group.sizes, where, strict=True):
        block = bytes(image[cell * CELL + offset :][:size])
        assert block[24:40] == uid
        assert block[48:64] == checksum(block[:48] + block[64:])
        if number not in blocks:
            found[number] = block
    return found


def solved(
    group: Group, word: int, words: int, lost: list[int], cells: list[bytes], sums: list[bytes]
) -> Iterator[tuple[int, bytes]]:
    """The lost cells of one word: equations with the known cells taken off, by elimination."""
    seed = group.seed + struct.pack("<I", word)
    known = ((number, cells[number]) for number in range(word, len(cells), words) if number not in lost)
    left = [
        int.from_bytes(one) ^ int.from_bytes(other)
        for one, other in zip(sums, sums_of(seed, len(sums), known), strict=True)
    ]
    masks = [0] * len(sums)
    for position, number in enumerate(lost):
        for one in picks(seed, number, len(sums)):
            masks[one] ^= 1 << position
    rows = list(zip(masks, left, strict=True))
    for position, _ in enumerate(lost):
        pivot = next(index for index in range(position, len(rows)) if rows[index][0] >> position & 1)
        rows[position], rows[pivot] = rows[pivot], rows[position]
        mask, value = rows[position]
        for index, (other, sum_) in enumerate(rows):
            if index != position and other >> position & 1:
                rows[index] = (other ^ mask, sum_ ^ value)
    for position, number in enumerate(lost):
        yield number, rows[position][1].to_bytes(CELL)


def read_newest(file: Path, repository: bytes) -> Newest:
    """A file that is not damaged."""
    data = file.read_bytes()
    magic, owner, *state = STATE.unpack_from(data)
    assert (magic, owner) == (b"ICCNEW1\n", repository)
    assert data[STATE.size : STATE.size + 16] == checksum(data[: STATE.size])
    copies, removed, at, end = {}, set(), 128, state[5]
    while at < end:
        magic, size, number = RECORD.unpack_from(data, at)
        assert magic == b"ICCN"
        block = at + 32 + (8 * up(size + PAGE_HEADER, CELL) if size else 0)
        checks = data[at + 32 : block]
        assert data[at + 16 : at + 32] == checksum(data[at : at + 16] + checks)
        stored = data[block : block + size]
        pieces = [stored[max(0, start) : start + CELL] for start in range(-PAGE_HEADER, size, CELL)] if size else []
        assert checks == b"".join(checksum(piece)[:8] for piece in pieces)
        if size:
            copies[number] = stored
        else:
            removed.add(number)
        at = block + size
    assert at == end
    return Newest(tuple(state), copies, removed)
