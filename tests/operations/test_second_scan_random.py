"""Random trees, changed at random: scanned by two processes and by one, they are the same."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from icc_store.model.repository import Repository
from icc_store.operations import snapshot as snapshots
from tests.operations.test_second_scan import Told, require_same, take
from tests.support.live import OLD

DIRECTORIES = (b"a", b"a/b", b"a\1", b"a.b", b"z")
_ODD = (b"\1", b"\n", b" ", b"-wal", b".db", b".tmp", b"\xff", b"x" * 200)


def name(chance: random.Random) -> bytes:
    """Mostly plain, and anywhere in the order."""
    odd = chance.choice(_ODD) if chance.random() < 0.03 else b""
    return b"%08x" % chance.getrandbits(32) + odd


def put(chance: random.Random, path: bytes, others: list[bytes]) -> None:
    """Something new: a file as a rule, large or sparse now and then, else what is none."""
    kind = chance.random()
    if kind < 0.97 or not others:
        with open(path, "wb") as file:
            file.write(chance.choice((b"common", chance.randbytes(30), chance.randbytes(5000))))
            file.truncate(chance.randrange(1, 500_000) if kind < 0.01 else None)
        os.utime(path, ns=(OLD, OLD))
    elif kind < 0.98:
        os.link(chance.choice(others), path)
    elif kind < 0.985:
        os.symlink(b"nowhere", path)
    elif kind < 0.99:
        os.mkfifo(path)
    else:
        os.mkdir(path)


def change(chance: random.Random, folder: bytes) -> None:
    """Some names go, come, are changed or touched."""
    files = [
        path for path in (os.path.join(folder, each) for each in sorted(os.listdir(folder))) if os.path.isfile(path)
    ]
    for path in chance.sample(files, min(len(files), chance.choice((0, 1, 20)))):
        match chance.randrange(4):
            case 0:
                os.unlink(path)
            case 1:
                os.rename(path, os.path.join(folder, name(chance)))
            case 2:
                with open(path, "ab") as file:
                    file.write(b"more")
            case _:
                os.utime(path)
    put(chance, os.path.join(folder, name(chance)), [])


@pytest.mark.parametrize("seed", range(3))
def test_random_trees(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    """Trees, counters, contents, and what is told: at first, unchanged, and after changes."""
    monkeypatch.setattr(snapshots, "SECOND_SCAN_FILES", 1)
    chance = random.Random(f"second scan {seed}")
    top = tmp_path / "top"
    folders = [os.fsencode(top), *(os.path.join(os.fsencode(top), each) for each in DIRECTORIES)]
    for folder in folders:
        os.mkdir(folder)
    for folder in folders:
        made: list[bytes] = []
        for _ in range(chance.choice((0, 5, 600, 1500))):
            path = os.path.join(folder, name(chance))
            put(chance, path, made)
            if os.path.isfile(path):
                made.append(path)
    for step in range(3):
        for folder in folders if step == 2 else ():
            change(chance, folder)
        one, other = Told(), Told()
        both = take(repository, top, "both", profile="generic", monitor=one)
        require_same(repository, both, take(repository, top, "alone", threads=1, profile="generic", monitor=other))
        assert sorted(one.warnings) == sorted(other.warnings)
