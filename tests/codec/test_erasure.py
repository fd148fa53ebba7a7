"""The erasure code: what is lost comes back, or nothing does."""

from __future__ import annotations

import random

import pytest

from icc_store.codec.erasure import SPARE_SUMS, Sums

SIZE = 64
SEED = b"a code word of a"


def made(count: int, sums: int, seed: bytes = SEED) -> tuple[list[bytes], list[bytes]]:
    """Random cells and their sums."""
    chance = random.Random(count)
    cells = [chance.randbytes(SIZE) for _ in range(count)]
    code = Sums(seed, [bytes(SIZE)] * sums, SIZE)
    for number, cell in enumerate(cells):
        code.add(number, cell)
    return cells, list(code.values())


def brought_back(cells: list[bytes], sums: list[bytes | None], lost: list[int]) -> dict[int, bytes] | None:
    """What comes of the sums when these cells are lost."""
    code = Sums(SEED, sums, SIZE)
    for number, cell in enumerate(cells):
        if number not in lost:
            code.add(number, cell)
    return code.solve(lost)


@pytest.mark.parametrize("count", [1, 2, 7, 100, 1500])
def test_as_many_cells_come_back_as_there_are_sums_less_the_spare_ones(count: int) -> None:
    """Whatever cells and sums are lost together, down to the spare ones, all cells are had back."""
    chance = random.Random(count)
    promised = max(1, count // 10)
    cells, sums = made(count, promised + SPARE_SUMS)
    for _ in range(20 if count < 1000 else 3):
        of_sums = chance.randrange(promised)
        left: list[bytes | None] = list(sums)
        for one in chance.sample(range(len(sums)), of_sums):
            left[one] = None
        lost = chance.sample(range(count), promised - of_sums)
        assert brought_back(cells, left, lost) == {number: cells[number] for number in lost}


def test_neighbours_come_back_as_well() -> None:
    """A stretch of lost cells is no harder than scattered ones."""
    cells, sums = made(500, 50 + SPARE_SUMS)
    for start in (0, 225, 450):
        lost = list(range(start, start + 50))
        assert brought_back(cells, list(sums), lost) == {number: cells[number] for number in lost}


def test_more_than_there_are_sums_gives_nothing() -> None:
    """Where too much is lost, that is said, and no cell is made up."""
    cells, sums = made(200, 40)
    assert brought_back(cells, list(sums), list(range(41))) is None
    assert brought_back(cells, [None] * 40, [3]) is None


def test_with_few_to_spare_it_fails_as_often_as_the_format_says() -> None:
    """With n sums to spare, about one time in 2^n the cells cannot be had back."""
    fails = 0
    for trial in range(400):
        code = Sums(trial.to_bytes(16), [bytes(SIZE)] * 43, SIZE)
        fails += code.solve(random.Random(trial).sample(range(400), 40)) is None
    assert 20 < fails < 90  # one in eight would be 50


def test_nothing_lost_is_nothing_to_solve() -> None:
    """No lost cells are no cells to bring back."""
    cells, sums = made(5, 33)
    assert brought_back(cells, list(sums), []) == {}
