"""Damage in LMDB's own pages, met by every command: exit code 0 or 6, advice, and never anything wrong restored."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from icc_store.opening import open_repository
from tests.damage.commands import each_command
from tests.support import damage
from tests.support.forked import preload
from tests.support.live import contents, fill
from tests.support.program import Program
from tests.support.shelf import noise, words

FILES = {f"d{number % 3}/{number:03}": words(number, 3000) for number in range(60)} | {"large": noise(1, 2_500_000)}
_PAGE = 4096
Damage = Callable[[Path, int, random.Random], None]


def flip(file: Path, page: int, chance: random.Random) -> None:
    """One bit, most often in the head of the page."""
    offset = chance.choice([chance.randrange(16), chance.randrange(16, 64), chance.randrange(_PAGE)])
    damage.flip(file, page + offset, chance.randrange(8))


def overwrite(file: Path, page: int, chance: random.Random) -> None:
    """Some bytes of something else."""
    with file.open("r+b") as opened:
        opened.seek(page + chance.randrange(_PAGE - 64))
        opened.write(chance.randbytes(64))


def clear(file: Path, page: int, chance: random.Random) -> None:
    """Zeros, as after a write that never reached the disk."""
    with file.open("r+b") as opened:
        opened.seek(page)
        opened.write(bytes(_PAGE))


def cut_off(file: Path, page: int, chance: random.Random) -> None:
    """The file ends here."""
    os.truncate(file, page + chance.choice([0, chance.randrange(_PAGE)]))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a repository of three snapshots and its source."""
    top = tmp_path_factory.mktemp("pages")
    program = Program(top / "r")
    program.good("init")
    for version in range(3):
        name = f"d0/{3 * version:03}"
        fill(top / "source", FILES | {name: FILES[name] + b"more", "new": b"n%d" % version * 300})
        program.good("snapshot", top / "source")
    program.good("tag", "latest", "x")
    preload()
    return top


@pytest.mark.parametrize(("do", "rounds"), [(flip, 12), (overwrite, 5), (clear, 4), (cut_off, 3)])
def test_every_command_survives(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, do: Damage, rounds: int
) -> None:
    """No crash, no traceback, no internal error; what says that it restored everything has restored everything."""
    chance = random.Random(do.__name__)
    folder = tmp_path / "folder"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    pages = damage.inner_pages(made / "r/data.mdb")
    with open_repository(made / "r") as repository:
        known = [contents(repository, snapshot) for snapshot in repository.snapshots()]
    met = 0
    for _ in range(rounds):
        page, seed = chance.choice(pages), chance.random()

        def harm(repository: Path, page: int = page, seed: float = seed) -> None:
            shutil.rmtree(repository)
            shutil.copytree(made / "r", repository)
            do(repository / "data.mdb", page, random.Random(seed))

        met += each_command(folder, harm, known)
    assert met > 0
