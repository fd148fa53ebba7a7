"""Groups of blocks, their cells and their files."""

from __future__ import annotations

import os
import random
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from icc_store.limits import SMALL_BLOCK_SIZE
from icc_store.objects import parity_group
from icc_store.objects.parity_cells import CELL_SIZE, cell_count, cells, places
from icc_store.objects.parity_group import (
    CHECK_SIZE,
    Group,
    Listed,
    Shape,
    begun_groups,
    check,
    name_groups,
    read_group,
    write_group,
)

REPOSITORY = bytes(range(16))
SIZES = [100, 1900, 2000, 2000, 2001, 4080, 4081, 8176, 8177, 5, 130_000, 7]


def blocks_of(sizes: list[int]) -> list[bytes]:
    """Random bytes of these sizes."""
    chance = random.Random(len(sizes))
    return [chance.randbytes(size) for size in sizes]


def written(path: Path, sizes: list[int], permille: int = 50) -> list[bytes]:
    """A group in a file, of blocks of these sizes."""
    blocks = blocks_of(sizes)
    listed = [Listed(number * 2, bytes([number % 256]) * 16, len(data)) for number, data in enumerate(blocks, 1)]
    write_group(path, REPOSITORY, listed, lambda: cells(blocks), permille)
    path.with_name(f"{path.name}.new").rename(path)
    return blocks


def group_in(path: Path) -> Group:
    """The group in a file that has one."""
    group = read_group(path, REPOSITORY)
    assert group is not None
    return group


def test_blocks_are_where_their_places_say() -> None:
    """A block can be cut out of the cells it goes over, and cells are what is counted."""
    blocks = blocks_of(SIZES)
    made = list(cells(blocks))
    found = places(SIZES)
    assert len(made) == cell_count(found)
    assert {len(cell) for cell in made} == {CELL_SIZE}
    for data, place in zip(blocks, found, strict=True):
        joined = b"".join(made[place.cell : place.cell + place.cells])
        assert joined[place.offset : place.offset + len(data)] == data


def test_a_large_block_is_cut_where_its_pages_are() -> None:
    """After 16 bytes for the head of its first page, so one page is one cell, and no other block is in it."""
    for size in (SMALL_BLOCK_SIZE + 1, CELL_SIZE - 16, CELL_SIZE - 15, 3 * CELL_SIZE - 16):
        before, large, after = places([10, size, 10])
        assert (large.offset, large.cells) == (16, -(-(size + 16) // CELL_SIZE))
        assert (before.cell, large.cell, after.cell) == (0, 1, 1 + large.cells)


def test_small_blocks_share_a_cell_and_never_straddle_two() -> None:
    """A page of small blocks that rots costs few cells."""
    found = places([1500] * 10)
    assert [place.cell for place in found] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert all(place.cells == 1 for place in found)


def test_a_group_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Numbers, uids, sizes, share and checks come back, and every cell is known by its check."""
    path = tmp_path / "0000000002.parity"
    blocks = written(path, SIZES)
    group = group_in(path)
    assert [block.number for block in group.blocks] == list(range(2, 2 * len(SIZES) + 1, 2))
    assert [block.size for block in group.blocks] == SIZES
    assert group.permille == 50
    assert group.lost_sums() == 0
    assert all(group.is_cell(number, cell) for number, cell in enumerate(cells(blocks)))
    assert path.stat().st_size % CELL_SIZE == 0


def test_words_made_one_by_one_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory that has room for one word at a time changes no sum."""
    sizes = [128_000] * 140
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))
    written(tmp_path / "together", sizes, 500)
    monkeypatch.setattr(parity_group, "WORDS_AT_ONCE", 1)
    written(tmp_path / "apart", sizes, 500)
    assert group_in(tmp_path / "apart").shape.words > 1
    assert (tmp_path / "apart").read_bytes() == (tmp_path / "together").read_bytes()


def test_groups_are_named_when_all_are_written(tmp_path: Path) -> None:
    """Until then they are no groups of the repository; afterwards nothing is left of their other names."""
    for first in (1, 7):
        write_group(
            parity_group.group_file(tmp_path, first),
            REPOSITORY,
            [Listed(first, bytes(16), 9)],
            lambda: [bytes(CELL_SIZE)],
            50,
        )
    assert parity_group.group_files(tmp_path) == []
    name_groups(tmp_path)
    assert [file.name for file in parity_group.group_files(tmp_path)] == ["0000000001.parity", "0000000007.parity"]
    assert begun_groups(tmp_path) == []


def test_another_repository_s_group_is_none(tmp_path: Path) -> None:
    """A file that got here from elsewhere brings nothing back."""
    written(tmp_path / "file", SIZES)
    assert read_group(tmp_path / "file", bytes(16)) is None


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_list_is_enough(tmp_path: Path, seed: int) -> None:
    """Whichever half of the pages of the list and its sums is damaged, the list is read."""
    path = tmp_path / "file"
    written(path, [random.Random(seed).randrange(1, 1500) for _ in range(3000)])
    whole = group_in(path)
    data = bytearray(path.read_bytes())
    pages = [at for at in range(0, len(data), CELL_SIZE) if data[at : at + 7] == b"ICCPAR1"]
    for at in random.Random(seed).sample(pages, len(pages) // 2 - 8):
        data[at + 2000] ^= 1
    path.write_bytes(data)
    assert group_in(path).blocks == whole.blocks


def test_a_list_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    """A file of zeros, an empty one, and one without its list give no group."""
    path = tmp_path / "file"
    for data in (b"", bytes(3 * CELL_SIZE), b"ICCPAR1\n" + bytes(CELL_SIZE)):
        path.write_bytes(data)
        assert read_group(path, REPOSITORY) is None


def test_behind_the_end_of_the_file_is_no_sum(tmp_path: Path) -> None:
    """A list may say that no bytes are what a sum is: no sum is there all the same."""
    path = tmp_path / "group"
    written(path, SIZES)
    group = group_in(path)
    checks = check(b"") * (len(group.sum_checks) // CHECK_SIZE)
    os.truncate(path, group.first_sum * CELL_SIZE)
    assert replace(group, sum_checks=checks).lost_sums() == len(checks) // CHECK_SIZE


def test_damaged_sums_are_told_from_whole_ones(tmp_path: Path) -> None:
    """A sum with one wrong bit does not count, nor does one beyond the end of the file."""
    path = tmp_path / "file"
    written(path, SIZES)
    group = group_in(path)
    data = bytearray(path.read_bytes())
    data[(group.first_sum + 3) * CELL_SIZE + 77] ^= 4
    path.write_bytes(data)
    assert group_in(path).lost_sums() == 1
    path.write_bytes(data[: (group.first_sum + group.shape.sums - 1) * CELL_SIZE])
    assert group.lost_sums() == 2


@pytest.mark.parametrize("permille", [1, 10, 50, 500])
@pytest.mark.parametrize("count", [1, 40, 5000, 400_000])
def test_words_hold_the_share(count: int, permille: int) -> None:
    """Each word has sums for the share of its own cells, spare ones besides, and is not too long to be solved."""
    shape = Shape.of(count, permille)
    longest = -(-count // shape.words)
    assert shape.sums - 32 >= longest * permille / 1000
    assert shape.sums <= 2048 + 1
