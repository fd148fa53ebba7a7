"""Blocks brought back from a group, wherever what is left of them stands."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from icc_store.codec.hashing import chunk_id
from icc_store.ids import Kind
from icc_store.objects.block import RAW, UID, Frame, encode_block
from icc_store.objects.parity_cells import CELL_SIZE, cells
from icc_store.objects.parity_group import Group, Listed, group_file, name_groups, read_group, write_group
from icc_store.objects.parity_rebuild import rebuild
from icc_store.objects.stray_blocks import StrayBlocks, stray_blocks

REPOSITORY = bytes(range(16))
NOWHERE = StrayBlocks(b"", REPOSITORY)


def block_of(data: bytes) -> bytes:
    """A block that holds one chunk."""
    return encode_block(REPOSITORY, [Frame(Kind.CHUNK, RAW, (chunk_id(data),), (len(data),), data)])


def made(folder: Path, sizes: list[int], permille: int) -> tuple[Group, dict[int, bytes]]:
    """Blocks under their numbers, and the group of them."""
    chance = random.Random(len(sizes))
    blocks = {number: block_of(chance.randbytes(size)) for number, size in enumerate(sizes, 1)}
    listed = [Listed(number, data[UID], len(data)) for number, data in blocks.items()]
    write_group(group_file(folder, 1), REPOSITORY, listed, lambda: cells(blocks.values()), permille)
    name_groups(folder)
    group = read_group(group_file(folder, 1), REPOSITORY)
    assert group is not None
    return group, blocks


@dataclass
class Rebuilt:
    """What came of a group."""

    blocks: dict[int, bytes]
    lost: list[int]


def rebuilt(
    folder: Path,
    group: Group,
    repository: bytes,
    read: Callable[[int], bytes | None],
    stray: StrayBlocks,
    removed: Collection[int] = (),
) -> Rebuilt:
    """What comes back, and what does not."""
    found = list(rebuild(group, repository, read, stray, scratch=folder, removed=removed))
    blocks = {number: data for number, data in found if data is not None}
    return Rebuilt(blocks, [number for number, data in found if data is None])


def as_pages(blocks: dict[int, bytes]) -> bytearray:
    """Large blocks as a database has them: each on pages of its own, behind 16 bytes."""
    pages = bytearray(bytes(2 * CELL_SIZE))
    for data in blocks.values():
        pages += b"page header 16 b" + data
        pages += b"\xff" * (-len(pages) % CELL_SIZE)
    return pages


def test_nothing_is_brought_back_where_nothing_is_wrong(tmp_path: Path) -> None:
    """Whole blocks are left alone."""
    group, blocks = made(tmp_path, [100, 5000, 1900, 70_000], 50)
    result = rebuilt(tmp_path, group, REPOSITORY, blocks.get, NOWHERE)
    assert (result.blocks, result.lost) == ({}, [])


def test_a_group_of_many_words_loses_its_share(tmp_path: Path) -> None:
    """More cells than one word may have: a stretch of half of all blocks is damaged, and comes back."""
    group, blocks = made(tmp_path, [128_000] * 140, 500)
    assert group.shape.words > 1
    left = {number: data for number, data in blocks.items() if not 30 <= number < 100}
    result = rebuilt(tmp_path, group, REPOSITORY, left.get, NOWHERE)
    assert result.lost == []
    assert result.blocks == {number: blocks[number] for number in range(30, 100)}


def test_small_blocks_come_back_and_their_neighbours_stay(tmp_path: Path) -> None:
    """Of the blocks in one cell only those that are damaged are brought back."""
    group, blocks = made(tmp_path, [300] * 50, 50)
    damaged = dict(blocks)
    damaged[7] = damaged[7][:-1] + bytes((damaged[7][-1] ^ 1,))
    del damaged[20]
    result = rebuilt(tmp_path, group, REPOSITORY, damaged.get, NOWHERE)
    assert result.blocks == {7: blocks[7], 20: blocks[20]}


def test_beyond_the_share_every_lost_block_is_named(tmp_path: Path) -> None:
    """And no bytes are made up for any of them."""
    group, blocks = made(tmp_path, [20_000] * 30, 10)
    result = rebuilt(tmp_path, group, REPOSITORY, {1: blocks[1]}.get, NOWHERE)
    assert (result.blocks, result.lost) == ({}, list(range(2, 31)))


def test_what_was_removed_is_not_brought_back(tmp_path: Path) -> None:
    """Its cells are solved for along with others, and it is neither rebuilt nor lost."""
    group, blocks = made(tmp_path, [20_000] * 10, 50)
    left = {number: data for number, data in blocks.items() if number not in (3, 5)}
    result = rebuilt(tmp_path, group, REPOSITORY, left.get, NOWHERE, removed={5})
    assert (list(result.blocks), result.lost) == ([3], [])


def test_a_block_under_a_wrong_number_does_not_count(tmp_path: Path) -> None:
    """Two blocks that changed places are both put right."""
    group, blocks = made(tmp_path, [5000] * 4, 500)
    swapped = blocks | {1: blocks[2], 2: blocks[1]}
    result = rebuilt(tmp_path, group, REPOSITORY, swapped.get, NOWHERE)
    assert result.blocks == {1: blocks[1], 2: blocks[2]}


@pytest.mark.parametrize("first_page", [False, True])
def test_blocks_are_found_in_the_bare_file(tmp_path: Path, first_page: bool) -> None:
    """Where LMDB leads to none of them, pages alone are enough, also of a block whose first page is damaged."""
    group, blocks = made(tmp_path, [60_000] * 20, 50)
    pages = as_pages(blocks)
    per_block = len(pages) // CELL_SIZE // 20
    for block in (4, 11):
        page = 2 + block * per_block + (0 if first_page else 3)
        pages[page * CELL_SIZE : (page + 1) * CELL_SIZE] = bytes(CELL_SIZE)
    (tmp_path / "data.mdb").write_bytes(pages)
    with stray_blocks(tmp_path / "data.mdb", REPOSITORY) as stray:
        result = rebuilt(tmp_path, group, REPOSITORY, lambda number: None, stray)
    assert result.lost == []
    assert result.blocks == blocks
