"""A repository and two copies of it, each of which forgets, collects, optimizes and is repaired by itself.

Files go back to what they were before, so that the three hold the same objects written against different others, at
different depths; and each is copied into each.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icc_store.ids import ObjectId
from icc_store.model.repository import Repository
from icc_store.opening import create_copy, create_repository, open_for_repair, open_repository
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.repair import rebuild
from icc_store.operations.verify import VerifyOptions, verify
from tests.power.replay import quick_place
from tests.support.live import Contents, clean, contents, fill, new_clock, snap
from tests.support.mortal import Died, Mortal
from tests.support.shelf import noise, words

FILES = ("a", "d/b", "d/e/c")
VERSIONS = 12
STEPS = 60


class Three:
    """`held` is what each of them must hold."""

    def __init__(self, top: Path, seed: int) -> None:
        self._top = top
        self._chance = random.Random(f"three {seed}")
        self._clock = new_clock()
        self._files = {name: (at, 0) for at, name in enumerate(FILES)}
        self.held: dict[str, dict[ObjectId, Contents]] = {"first": {}, "second": {}, "third": {}}
        create_repository(top / "first")
        with self._open("first") as repository:
            for name in ("second", "third"):
                create_copy(top / name, repository.header)
        self._snapshot()

    def step(self) -> None:
        """Something happens to one of them."""
        events = {
            self._days: 6,
            self._copy: 6,
            self._killed_copy: 2,
            self._forget: 3,
            self._collect: 2,
            self._optimize: 2,
            self._repair: 1,
        }
        self._chance.choices(list(events), list(events.values()))[0]()

    @contextmanager
    def _open(self, name: str) -> Iterator[Repository]:
        with open_repository(self._top / name, clock=self._clock) as repository:
            yield repository

    def _any(self) -> str:
        return self._chance.choice(sorted(self.held))

    def _days(self) -> None:
        """A few snapshots in a row, of files that go on to their next versions or back to old ones."""
        direction = self._chance.choice((-1, 1))
        for _ in range(self._chance.randint(1, 6)):
            for name, (at, version) in self._files.items():
                if self._chance.random() < 0.8:
                    jump = self._chance.random() < 0.1
                    following = self._chance.randrange(VERSIONS) if jump else (version + direction) % VERSIONS
                    self._files[name] = at, following
            self._snapshot()

    def _snapshot(self) -> None:
        now = {name: words(at, 4000) + noise(100 * at + version, 40) for name, (at, version) in self._files.items()}
        fill(self._top / "source", now)
        with self._open("first") as repository:
            self.held["first"][snap(repository, self._top / "source", rehash=True).id] = now

    def _copy(self) -> None:
        source, target = self._chance.sample(sorted(self.held), 2)
        with self._open(source) as one, self._open(target) as other:
            copy_repository(one, other)
        self.held[target] |= self.held[source]

    def _killed_copy(self) -> None:
        source, target = self._chance.sample(sorted(self.held), 2)
        with self._open(source) as one, self._open(target) as other:
            try:
                copy_repository(one, other, monitor=Mortal(self._chance.randint(1, 6)))
            except Died:
                other.objects.forget()
            there = {snapshot.id for snapshot in other.snapshots(forgotten=True)}
        arrived = self.held[target] | self.held[source]
        assert there >= set(self.held[target])
        self.held[target] = {identity: arrived[identity] for identity in there}

    def _forget(self) -> None:
        name = self._any()
        held = self.held[name]
        gone = [identity for identity in held if self._chance.random() < 0.6]
        with self._open(name) as repository:
            forget(repository, gone, options=ForgetOptions(purge=True))
            clean(repository)
        for identity in gone:
            del held[identity]

    def _collect(self) -> None:
        with self._open(self._any()) as repository:
            clean(repository)

    def _optimize(self) -> None:
        with self._open(self._any()) as repository:
            optimize(repository, options=OptimizeOptions(level=1, threads=1), clock=self._clock)

    def _repair(self) -> None:
        name = self._any()
        if not self.held[name]:
            return  # without a block there is nothing to make anything of
        with open_for_repair(self._top / name, clock=self._clock) as repairing:
            listed = repairing.rescued.listed_snapshots
            result = rebuild(repairing.repository, listed, clock=self._clock)
            assert not result.check.findings, result.check.findings
            repairing.take_place()

    def check(self) -> None:
        """Each holds what it must, and nothing is wrong with it."""
        for name, held in self.held.items():
            with self._open(name) as repository:
                found = repository.snapshots(forgotten=True)
                assert {one.id for one in found} == set(held), name
                for one in found:
                    assert contents(repository, one) == held[one.id], name
                findings = verify(repository, options=VerifyOptions(threads=1)).findings
                assert not findings, (name, findings)


@pytest.mark.parametrize("seed", range(4))
def test_three_copies(seed: int) -> None:
    """Whatever each of them has let go or written anew, what is copied to it can be read there, and so can all else."""
    with quick_place() as top:
        live(top, seed, STEPS)


def live(top: Path, seed: int, steps: int) -> None:
    """So many things happen, and then all is looked at."""
    three = Three(top, seed)
    for _ in range(steps):
        three.step()
    three.check()
