"""gc and snapshots at the same time, each stopped at every point where it looks, while the other goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.ids import Kind
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.retention import explicit_policy
from tests.support.interleaving import History, make_history, trials
from tests.support.live import Contents, clean, contents, fill, new_clock, shoot, snap
from tests.support.neighbour import Neighbour, neighbour
from tests.support.shelf import noise, words

OLD: Contents = {
    "same": words(1, 4000),
    "d/changed": words(2, 9000),
    "d/e/old": noise(3, 3000),
    "large": noise(4, 2_200_000),
}
MANY: Contents = {f"file {number}": noise(100 + number, 1500) for number in range(30)}
FEW: Contents = {name: MANY[name] for name in ("file 3", "file 17")}
NEW: Contents = {"same": words(1, 4000), "d/changed": words(2, 9000) + b"more", "new": noise(5, 3000)}
THIRD: Contents = {"same": words(1, 4000), "d/changed": words(2, 9000) + b"and more", "d/e/old": noise(3, 3000)}


@pytest.fixture(scope="module")
def other() -> Iterator[Neighbour]:
    with neighbour() as process:
        yield process


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Three snapshots, of which the second is the newest of its source."""
    return make_history(tmp_path_factory.mktemp("history"), [(OLD, "home"), (NEW, "home"), (NEW, "other")])


def check(repository: Repository, expected: dict[bytes, Contents]) -> None:
    for snapshot in repository.snapshots():
        assert contents(repository, snapshot) == expected[snapshot.id]


@pytest.mark.parametrize("step", [0.0, 0.4, 2.0])
def test_a_snapshot_in_the_middle_of_gc(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever a snapshot of what gc is about to remove is taken, it is whole, and so are all others."""
    for trial in trials(history, tmp_path, step=step, most=25):
        expected = dict(history.expected)

        def take(path: Path = trial.path, expected: dict[bytes, Contents] = expected) -> None:
            taken = other.snapshot(path, history.source, OLD)
            if isinstance(taken, list):
                expected[taken[0]] = OLD

        with open_repository(trial.path, clock=new_clock()) as repository:
            forget(repository, [history.first])
        with open_repository(trial.path, clock=trial.clock(take)) as repository:
            clean(repository)
            trial.ends()
            check(repository, expected)
            clean(repository)
            check(repository, expected)


@pytest.mark.parametrize("step", [0.0, 2.0])
def test_between_two_steps_of_gc(other: Neighbour, tmp_path: Path, step: float) -> None:
    """What a step of gc has left is whole: nothing can be found whose base went with the step before."""
    changed = {"d/changed": words(2, 9000) + b"more"}
    states: list[Contents] = [{"d/changed": words(2, 9000)}, {"large": noise(4, 9_000_000)}, changed]
    states[1] |= states[0]
    with_others = [*((files, "home") for files in states), ({"b": b"1"}, "other")]
    history = make_history(tmp_path / "history", with_others)
    going = list(history.expected)[:3]
    for trial in trials(history, tmp_path, step=step, most=40):
        expected = {one: files for one, files in history.expected.items() if one not in going}

        def take(path: Path = trial.path, expected: dict[bytes, Contents] = expected) -> None:
            taken = other.snapshot(path, history.source, changed)
            if isinstance(taken, list):
                expected[taken[0]] = changed

        with open_repository(trial.path, clock=new_clock()) as repository:
            forget(repository, going, options=ForgetOptions(purge=True))
        with open_repository(trial.path, clock=trial.clock(take)) as repository:
            clean(repository)
            trial.ends()
            check(repository, expected)
            clean(repository)
            check(repository, expected)


@pytest.mark.parametrize("step", [0.0, 0.4, 2.0])
def test_gc_in_the_middle_of_a_snapshot(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever gc removes what a snapshot has just found to be stored already, the snapshot is whole in the end."""
    for trial in trials(history, tmp_path, step=step, most=25):
        fill(history.source, OLD)
        clock = trial.clock(lambda path=trial.path: other.forget(path, [history.first]))
        with open_repository(trial.path, clock=clock) as repository:
            taken = shoot(repository, history.source, rehash=trial.at % 2 == 0).snapshot
            assert taken is not None
            trial.ends()
            check(repository, history.expected | {taken.id: OLD})
            clean(repository)
            check(repository, history.expected | {taken.id: OLD})


@pytest.mark.parametrize("step", [0.0, 0.4, 2.0])
def test_gc_in_the_middle_of_gc(history: History, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever another gc removes and moves what the first has marked, nothing is lost that a snapshot needs."""
    for trial in trials(history, tmp_path, step=step, most=25):
        with open_repository(trial.path, clock=new_clock()) as repository:
            fill(history.source, MANY)
            snap(repository, history.source)
            fill(history.source, FEW)
            expected = history.expected | {snap(repository, history.source).id: FEW}
        clock = trial.clock(lambda path=trial.path: other.collect(path))
        with open_repository(trial.path, clock=clock) as repository:
            clean(repository, policy=explicit_policy(keep_last=1))
            trial.ends()
            check(repository, expected)
            clean(repository)
            check(repository, expected)


def test_gc_takes_what_a_stored_delta_needs(history: History, other: Neighbour, tmp_path: Path) -> None:
    """A run that has stored a delta already, when gc removes the snapshot with its base, still ends whole."""
    path = tmp_path / "r"
    shutil.copytree(history.path, path)
    with open_repository(path, clock=new_clock()) as repository:
        base = repository.objects.get
        old = snap_chunk(repository, history.first)
        with repository.adding() as run:
            new = run.writer.add(Kind.CHUNK, OLD["d/changed"] + b"new", bases=(old,))
            run.writer.commit()
            frame = repository.objects.frame_of(new)
            assert frame is not None
            assert frame[2].bases
            keep = [one.id for one in repository.snapshots()]
            other.forget(path, keep[:1])
            other.forget(path, keep[1:])
            repository.objects.forget()
            assert base(new, Kind.CHUNK) == OLD["d/changed"] + b"new"


def snap_chunk(repository: Repository, identity: bytes) -> bytes:
    """The chunk of `d/changed` in a snapshot."""
    snapshot = next(one for one in repository.snapshots() if one.id == identity)
    chunk = lookup(repository.objects, snapshot.record, b"d/changed").entry.chunk
    assert chunk is not None
    return chunk


def test_an_old_state_comes_back_after_gc(history: History, tmp_path: Path) -> None:
    """What was seen of a collected tree is not trusted: a tree that becomes as it was is stored again."""
    path = tmp_path / "r"
    shutil.copytree(history.path, path)
    with open_repository(path, clock=new_clock()) as repository:
        forget(repository, [history.first], options=ForgetOptions(purge=True))
        clean(repository)
        for files in (OLD, THIRD, OLD):
            fill(history.source, files)
            taken = snap(repository, history.source)
            assert contents(repository, taken) == files
            forget(repository, [one.id for one in repository.snapshots()[:-1] if one.record.source == "home"])
            clean(repository)
            assert contents(repository, taken) == files
