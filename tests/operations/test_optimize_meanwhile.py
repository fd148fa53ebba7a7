"""optimize, snapshots and gc at the same time, each stopped at every point where it looks, while another goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.ids import Kind
from icc_store.limits import MIB
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.objects.appending import BaseCollected
from icc_store.opening import open_repository
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.verify import verify
from tests.support.interleaving import History, make_history, trials
from tests.support.live import Contents, clean, contents, fill, new_clock, shoot
from tests.support.neighbour import Neighbour, neighbour
from tests.support.shelf import noise, words

OPTIONS = OptimizeOptions(level=3, threads=1)
TEXT = words(2, 9000)
LONG = words(4, 2 * MIB + 40_000)
BIG = words(5, 300_000)
STATES: list[Contents] = [
    {
        "same": words(1, 4000),
        "d/changed": TEXT + b"%d" % number,
        "d/e/old" if number == 0 else "d/e/new": words(3, 3000),
        "large/big": BIG + b"%d" % number,
        "large/cut": LONG[:MIB] + b"%d" % number + LONG[MIB:],
        **{f"many/{each}": words(10 + each, 700) + b"%d" % (number * each) for each in range(12)},
        "bits": noise(number % 2, 2000),
    }
    for number in range(4)
]
NEXT: Contents = STATES[3] | {"d/changed": TEXT + b"next", "many/3": words(13, 700) + b"next"}


@pytest.fixture(scope="module")
def other() -> Iterator[Neighbour]:
    with neighbour() as process:
        yield process


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """A snapshot of every state."""
    return make_history(tmp_path_factory.mktemp("history"), [(files, "home") for files in STATES])


def check(repository: Repository, expected: dict[bytes, Contents]) -> None:
    for snapshot in repository.snapshots():
        assert contents(repository, snapshot) == expected[snapshot.id]
    assert verify(repository).findings == ()


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_a_snapshot_in_the_middle_of_it(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever a snapshot is taken while blocks are written anew, it is whole, and so are all others."""
    for trial in trials(history, tmp_path, step=step, most=6):
        expected = dict(history.expected)

        def take(path: Path = trial.path, expected: dict[bytes, Contents] = expected) -> None:
            taken = other.snapshot(path, history.source, NEXT)
            if isinstance(taken, list):
                expected[taken[0]] = NEXT

        clock = trial.clock(take)
        with open_repository(trial.path, clock=clock) as repository:
            optimize(repository, options=OPTIONS, clock=clock)
            trial.ends()
            check(repository, expected)
            clean(repository)
            check(repository, expected)


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_snapshots_removed_in_the_middle_of_it(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever gc removes what is just being written anew, nothing comes back half and nothing is lost."""
    going = list(history.expected)[1:3]
    for trial in trials(history, tmp_path, step=step, most=6):
        clock = trial.clock(lambda path=trial.path: other.forget(path, going))
        with open_repository(trial.path, clock=clock) as repository:
            optimize(repository, options=OPTIONS, clock=clock)
            trial.ends()
            check(repository, history.expected)
            clean(repository)
            check(repository, history.expected)


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_it_in_the_middle_of_a_snapshot(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever what a snapshot writes against is written anew, also at a greater depth, the snapshot is whole."""
    fill(history.source, NEXT)
    for trial in trials(history, tmp_path, step=step, most=6):
        clock = trial.clock(lambda path=trial.path: other.optimize(path))
        with open_repository(trial.path, clock=clock) as repository:
            taken = shoot(repository, history.source, rehash=trial.at % 2 == 0).snapshot
            assert taken is not None
            trial.ends()
            check(repository, history.expected | {taken.id: NEXT})
            clean(repository)
            check(repository, history.expected | {taken.id: NEXT})


def test_a_delta_whose_base_goes_deeper_meanwhile(history: History, other: Neighbour, tmp_path: Path) -> None:
    """A delta that waits while its base, of depth 0, becomes history, is made again and never stored unreadable."""
    path = tmp_path / "r"
    shutil.copytree(history.path, path)
    with open_repository(path, clock=new_clock()) as repository:
        oldest = history.first
        base = lookup(repository.objects, repository.snapshot(oldest).record, b"large/big").entry.chunk
        assert base is not None
        data = history.expected[oldest]["large/big"] + b"and more"
        with repository.adding() as run:
            new = run.writer.add(Kind.CHUNK, data, bases=(base,))
            other.optimize(path)
            with pytest.raises(BaseCollected):
                run.writer.commit()
            repository.objects.forget()
            run.writer.add(Kind.CHUNK, data, bases=(base,))
            run.writer.commit()
            repository.objects.forget()
            assert repository.objects.get(new, Kind.CHUNK) == data
