"""Damage of every kind that a disk, a crash or a hand can do to the files of a repository."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import lmdb

from icc_store.objects.block import HEADER_SIZE, MAGIC, stated_size
from tests.damage.stage import NAMES, Stage
from tests.support.damage import flip

DATA = "data.mdb"
PAGE = 4096
_META_OF_COMMIT = 16 + 8 + 16 + 2 * 48 + 8
"""Where in a page at the beginning LMDB writes the number of the commit."""


@dataclass(frozen=True)
class Harm:
    """One damage, by a name and what it does to a sound repository."""

    kind: str
    name: str
    do: Callable[[Path], None]


def harms(stage: Stage, chance: random.Random, *, flips: int) -> Iterator[Harm]:
    """All of them; of single bits only so many."""
    size = len(stage.whole[DATA])
    pages = range(0, size, PAGE)
    for page in pages:
        yield Harm("a page of zeros", f"at {page}", lambda path, at=page: _write(path / DATA, at, bytes(PAGE)))
        yield Harm("cut off", f"at {page}", lambda path, at=page: os.truncate(path / DATA, at))
        inside = page + chance.randrange(1, PAGE)
        yield Harm("cut off", f"at {inside}", lambda path, at=inside: os.truncate(path / DATA, at))
    for _ in range(len(pages)):
        one, two = chance.sample(pages, 2)
        yield Harm("two pages swapped", f"{one} and {two}", lambda path, a=one, b=two: _swap(path / DATA, a, b))
    yield from _with_blocks(stage)
    for table in ("blocks", "index", "copies", "snapshots", "annotations", "meta", "seen"):
        yield Harm("a table deleted", table, lambda path, name=table: _lose_table(path, name))
    yield Harm("a file replaced", "another header", lambda path: _replace(path / "repository.json", stage.foreign))
    yield Harm("a file replaced", "an older database", lambda path: _replace(path / DATA, stage.older))
    for name in NAMES[1:]:
        yield Harm("a file replaced", f"no {name}", lambda path, each=name: (path / each).unlink())
        yield Harm("a file replaced", f"empty {name}", lambda path, each=name: _replace(path / each, b""))
    newest = max((0, PAGE), key=lambda at: stage.whole[DATA][at + _META_OF_COMMIT : at + _META_OF_COMMIT + 8][::-1])
    for offset in range(newest, newest + _META_OF_COMMIT + 8):
        yield Harm("a bit of the newest first page", f"{offset}", lambda path, at=offset: flip(path / DATA, at))
    for _ in range(flips):
        at, bit = chance.randrange(size), chance.randrange(8)
        yield Harm("a bit", f"{at}.{bit}", lambda path, at=at, bit=bit: flip(path / DATA, at, bit))


def _with_blocks(stage: Stage) -> Iterator[Harm]:
    """Two blocks change places, as far as both reach; the middle of each becomes zeros."""
    data = stage.whole[DATA]
    places = [(at, stated_size(data[at : at + HEADER_SIZE])) for at in _starts(data)]
    for at, size in places:
        middle, hole = at + size // 2, bytes(size // 4)
        yield Harm("a block with a hole", f"at {at}", lambda path, at=middle, hole=hole: _write(path / DATA, at, hole))
    for (one, size), (two, other) in pairwise(places):
        least = min(size, other)
        name = f"{one} and {two}"
        yield Harm("two blocks swapped", name, lambda path, a=one, b=two, n=least: _swap(path / DATA, a, b, n))


def _commit(data: bytes, page: int) -> int:
    """The number of the commit that one of the two first pages is of."""
    return int.from_bytes(data[page + _META_OF_COMMIT :][:8], "little")


def _starts(data: bytes) -> Iterator[int]:
    at = data.find(MAGIC)
    while at >= 0:
        yield at
        at = data.find(MAGIC, at + 1)


def _write(file: Path, at: int, data: bytes) -> None:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(data)


def _swap(file: Path, one: int, two: int, size: int = PAGE) -> None:
    data = file.read_bytes()
    _write(file, one, data[two : two + size])
    _write(file, two, data[one : one + size])


def _replace(file: Path, data: bytes) -> None:
    file.unlink()
    file.write_bytes(data)


def _lose_table(path: Path, name: str) -> None:
    with lmdb.open(os.fspath(path), max_dbs=16) as env, env.begin(write=True) as txn:
        flags = {"dupsort": True, "dupfixed": True} if name == "index" else {}
        txn.drop(env.open_db(name.encode(), txn=txn, create=False, **flags))
