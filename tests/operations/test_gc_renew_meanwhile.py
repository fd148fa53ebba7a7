"""What gc writes anew, beside snapshots and other collectors, each stopped at every point where it looks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.ids import Kind
from icc_store.model.repository import Repository
from icc_store.opening import open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.verify import verify
from tests.support.interleaving import History, make_history, trials
from tests.support.live import Contents, clean, contents, fill, new_clock, shoot
from tests.support.neighbour import Neighbour, neighbour
from tests.support.shelf import words

STATES: list[Contents] = [
    {
        "same": words(1, 4000),
        "d/changed": words(2, 4000) + b"%d" % number,
        "d/e/old" if number < 3 else "d/e/new": words(3, 3000),
        **{f"many/{each}": words(10 + each, 500) + words(1000 + number * each, 60) for each in range(8)},
    }
    for number in range(13)
]
LAST = STATES[-1]
NEXT: Contents = LAST | {"d/changed": words(2, 4000) + b"next", "many/3": words(13, 500) + b"next"}


@pytest.fixture(scope="module")
def other() -> Iterator[Neighbour]:
    with neighbour() as process:
        yield process


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Snapshots of all states, of which all but every fourth are forgotten."""
    history = make_history(tmp_path_factory.mktemp("history"), [(files, "home") for files in STATES])
    going = [one for at, one in enumerate(history.expected) if at % 4]
    with open_repository(history.path, clock=new_clock()) as repository:
        forget(repository, going, options=ForgetOptions(purge=True))
    for one in going:
        del history.expected[one]
    return history


def check(repository: Repository, expected: dict[bytes, Contents]) -> None:
    assert {one.id for one in repository.snapshots()} == set(expected)
    for snapshot in repository.snapshots():
        assert contents(repository, snapshot) == expected[snapshot.id]
    assert verify(repository).findings == ()


def test_it_is_what_is_tested_here(history: History, tmp_path: Path) -> None:
    """gc of this history writes something anew."""
    for trial in trials(history, tmp_path, step=0.0, most=1):
        with open_repository(trial.path, clock=new_clock()) as repository:
            assert clean(repository).renewal is not None
            check(repository, history.expected)
        break


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_a_snapshot_in_the_middle_of_it(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever a snapshot is taken while chains are written anew, it is whole, and so are all others."""
    for trial in trials(history, tmp_path, step=step, most=12):
        expected = dict(history.expected)

        def take(path: Path = trial.path, expected: dict[bytes, Contents] = expected) -> None:
            taken = other.snapshot(path, history.source, NEXT)
            if isinstance(taken, list):
                expected[taken[0]] = NEXT

        with open_repository(trial.path, clock=trial.clock(take)) as repository:
            clean(repository)
            trial.ends()
            check(repository, expected)
            clean(repository)
            check(repository, expected)


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_it_in_the_middle_of_a_snapshot(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever what a snapshot writes against is written anew or goes, the snapshot is whole."""
    fill(history.source, NEXT)
    for trial in trials(history, tmp_path, step=step, most=12):
        clock = trial.clock(lambda path=trial.path: other.forget(path, []))
        with open_repository(trial.path, clock=clock) as repository:
            taken = shoot(repository, history.source, rehash=trial.at % 2 == 0).snapshot
            assert taken is not None
            trial.ends()
            check(repository, history.expected | {taken.id: NEXT})
            clean(repository)
            check(repository, history.expected | {taken.id: NEXT})


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_another_gc_in_the_middle_of_it(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever another gc writes anew and removes what this one is at, nothing is lost that a snapshot needs."""
    for trial in trials(history, tmp_path, step=step, most=12):
        clock = trial.clock(lambda path=trial.path: other.forget(path, []))
        with open_repository(trial.path, clock=clock) as repository:
            clean(repository)
            trial.ends()
            check(repository, history.expected)
            clean(repository)
            check(repository, history.expected)


def test_beside_a_run_that_lives_on(history: History, tmp_path: Path) -> None:
    """Records written since it began stand among its blocks, and go with their snapshot though it lives on."""
    for trial in trials(history, tmp_path, step=0.0, most=1):
        first, *others = history.expected
        with open_repository(trial.path, clock=new_clock()) as repository, repository.adding() as run:
            run.writer.add(Kind.CHUNK, words(99, 3000))
            run.writer.commit()
            forget(repository, [first], options=ForgetOptions(purge=True))
            assert clean(repository).renewal is not None
            check(repository, {one: history.expected[one] for one in others})
        break
