"""Small changes to byte strings that parsers tend to fall over."""

from __future__ import annotations

import random

INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63)
MOST_CHANGES = 6
WORD_SHARE = 0.25


def mutate(chance: random.Random, pool: list[bytes], words: tuple[bytes, ...] = ()) -> bytes:
    """A member of `pool` with one to six changes, each drawn from `chance`; some put in one of `words`."""
    data = bytearray(chance.choice(pool))
    for _ in range(chance.randint(1, MOST_CHANGES)):
        if words and chance.random() < WORD_SHARE:
            start = _place(chance, data)
            data[start : start + chance.choice((0, 0, 4, 16))] = chance.choice(words)
        else:
            chance.choice(CHANGES)(chance, data, pool)
    return bytes(data)


def _flip_bit(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set_byte(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def _set_integer(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    """A number at the edge of something, in either byte order and any width, over what stands there."""
    width = chance.choice((1, 2, 4, 8))
    number = (chance.choice(INTERESTING) + chance.randint(-1, 1)) % (1 << 8 * width)
    start = _place(chance, data)
    data[start : start + width] = number.to_bytes(width, chance.choice(("little", "big")))


def _truncate(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    del data[_place(chance, data) :]


def _cut(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    start = _place(chance, data)
    del data[start : start + chance.randint(1, 32)]


def _repeat(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    start = _place(chance, data)
    data[start:start] = data[start : start + chance.randint(1, 64)] * chance.randint(1, 4)


def _insert(chance: random.Random, data: bytearray, _pool: list[bytes]) -> None:
    start = _place(chance, data)
    data[start:start] = chance.randbytes(chance.randint(1, 16))


def _splice(chance: random.Random, data: bytearray, pool: list[bytes]) -> None:
    """The rest of another input from some point on."""
    other = chance.choice(pool)
    data[_place(chance, data) :] = other[chance.randint(0, len(other)) :]


def _place(chance: random.Random, data: bytearray) -> int:
    """Somewhere in `data`; headers stand in front, so half of the time near the front."""
    return chance.randint(0, min(len(data), 64) if chance.random() < 0.5 else len(data))


CHANGES = (_flip_bit, _set_byte, _set_integer, _truncate, _cut, _repeat, _insert, _splice)
