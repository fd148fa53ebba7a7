"""When gc optimizes by itself: when it pays, once a week, for a bounded time."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.optimize import OptimizeOptions
from icc_store.operations.optimize_due import optimize_if_it_pays
from tests.support.live import DAY, Contents, contents, fill, new_clock, snap
from tests.support.shelf import noise, words

OPTIONS = OptimizeOptions(level=3)


@pytest.fixture
def clock() -> FixedClock:
    return new_clock()


@pytest.fixture
def repository(tmp_path: Path, clock: FixedClock) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=clock) as opened:
        yield opened


def repeating(count: int) -> Contents:
    """Files that have much in common with others, but not with their neighbours: large frames find it."""
    shared = [words(number, 90_000) for number in range(8)]
    chance = random.Random(1)
    return {f"{each:03}": shared[each % 8] + chance.randbytes(20) for each in range(count)}


def try_it(repository: Repository, clock: FixedClock) -> bool:
    return optimize_if_it_pays(repository, options=OPTIONS, clock=clock) is not None


def test_it_runs_when_it_pays_and_then_not_for_a_week(
    repository: Repository, clock: FixedClock, tmp_path: Path
) -> None:
    """What a trial says is worth a fifth is done; within the week nothing is tried, and then only if there is more."""
    fill(tmp_path / "source", repeating(200))
    first = snap(repository, tmp_path / "source")
    result = optimize_if_it_pays(repository, options=OPTIONS, clock=clock)
    assert result is not None
    assert result.complete
    assert result.bytes_after < 0.8 * result.bytes_before
    assert contents(repository, first) == repeating(200)
    fill(tmp_path / "source", {name: data + b"!" for name, data in repeating(200).items()})
    snap(repository, tmp_path / "source")
    clock.ns += int(6 * DAY * 1e9)
    assert not try_it(repository, clock)
    clock.ns += int(2 * DAY * 1e9)
    assert not try_it(repository, clock), "what was added is little beside what is optimized"


def test_what_does_not_compress_is_left(repository: Repository, clock: FixedClock, tmp_path: Path) -> None:
    """Where a trial saves nothing, nothing is written anew."""
    fill(tmp_path / "source", {f"{each}": noise(each, 90_000) for each in range(60)})
    snap(repository, tmp_path / "source")
    last = repository.objects.transaction.last_block()
    assert not try_it(repository, clock)
    repository.objects.renew()
    assert repository.objects.transaction.last_block() == last


def test_a_small_repository_is_left(repository: Repository, clock: FixedClock, tmp_path: Path) -> None:
    """Nobody notices what a repository of a few files would save."""
    fill(tmp_path / "source", {f"{each}": b"small %d" % each for each in range(60)})
    snap(repository, tmp_path / "source")
    assert not try_it(repository, clock)
