"""optimize, killed without warning at any moment of its work: what is done stays done, and nothing is lost."""

from __future__ import annotations

import random
import time
from multiprocessing.connection import Connection
from pathlib import Path

from icc_store.opening import create_repository, open_repository
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.verify import verify
from tests.support.labour import CONTEXT
from tests.support.live import Contents, contents, fill, snap
from tests.support.shelf import noise, words

DEATHS = 8
_TEXTS = [words(number, 800) for number in range(60)]


def state(number: int) -> Contents:
    """Small files that all change, and some that are large enough to make many blocks."""
    files = {f"d{each % 5}/{each}": text + b"%d" % number for each, text in enumerate(_TEXTS)}
    return files | {f"large/{each}": noise(each // 2, 400_000) + b"%d" % number for each in range(16)}


def write_anew(pipe: Connection, path: Path) -> None:
    """What is killed."""
    with open_repository(path) as repository:
        pipe.send("started")
        optimize(repository, options=OptimizeOptions(level=2, threads=1))


def test_killed_while_blocks_are_written_anew(tmp_path: Path) -> None:
    """After each death all snapshots are whole and verify finds nothing; a run that is left alone comes to its end."""
    path, chance = tmp_path / "r", random.Random(23)
    create_repository(path)
    expected: dict[bytes, Contents] = {}
    for number in range(DEATHS):
        fill(tmp_path / "source", state(number))
        with open_repository(path) as repository:
            expected[snap(repository, tmp_path / "source").id] = state(number)
        here, there = CONTEXT.Pipe()
        process = CONTEXT.Process(target=write_anew, args=(there, path))
        process.start()
        assert here.recv() == "started"
        time.sleep(chance.uniform(0.0, 0.6))
        process.kill()
        process.join()
        with open_repository(path, timeout=2.0) as repository:
            assert verify(repository).findings == ()
            newest = repository.snapshots()[-1]
            assert contents(repository, newest) == expected[newest.id]
    with open_repository(path) as repository:
        assert optimize(repository, options=OptimizeOptions(level=2)).complete
        assert not optimize(repository).due
        assert {one.id: contents(repository, one) for one in repository.snapshots()} == expected
        assert verify(repository).findings == ()
