"""Every state that a power failure can leave of a recorded run, and whether each of them is a sound repository."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from icc_store.errors import IccStoreError, NotARepository, RepositoryNotFound
from icc_store.ids import ObjectId
from icc_store.model.header import HEADER_NAME
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.verify import VerifyOptions, verify
from tests.power.disk import Disk, Fate, Image, Kept, Lost, Torn
from tests.power.recording import Event, What
from tests.power.workload import COPY, MAIN, view_of
from tests.support.labour import collect_but, compact, files_of, snapshot_of
from tests.support.live import contents

LOCKS = frozenset(("lock.mdb", "write.lock", "use.lock"))
"""What is in these means nothing after the power was gone, so they hold something else each time."""

UNITS = {"in part": None, "torn pages": 4096, "torn sectors": 512}


@dataclass(frozen=True)
class State:
    """A disk after a power failure: after how many events, in what way, and what its repositories may show."""

    event: int
    fate: str
    image: Image
    allowed: dict[str, list[Any]]
    """Of each repository the views that are right; None: there need not be one."""

    def __str__(self) -> str:
        return f"after event {self.event}, {self.fate}"


@dataclass
class Report:
    """How many different states were tried, by their fates, and what was wrong with some."""

    states: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def states(
    events: Sequence[Event], disk: Disk, *, seed: int, start: int = 0, tries: int = 1, share: float = 1.0
) -> Iterator[State]:
    """Each state once. After each event: everything kept, everything lost, and `tries` times some of it in each way.

    Begins at the event `start`. With a `share` below 1 the rest of them is left out, by chance.
    """
    marks = [(number, json.loads(event.data)) for number, event in enumerate(events) if event.what is What.MARK]
    met: set[bytes] = set()
    for number, event in enumerate(events):
        disk.apply(event)
        allowed = _allowed(marks, number)
        chance = random.Random(f"{seed} {number}")
        for name, fate in _fates(chance, tries):
            if number < start or chance.random() >= share:
                continue
            image = disk.image(fate)
            identity = _identity(image, allowed)
            if identity not in met:
                met.add(identity)
                yield State(number + 1, name, image, allowed)


def _fates(chance: random.Random, tries: int) -> Iterator[tuple[str, Fate]]:
    yield "kept", Kept()
    yield "lost", Lost()
    for _ in range(tries):
        for name, unit in UNITS.items():
            yield name, Torn(chance, unit)


def _allowed(marks: list[tuple[int, dict[str, Any]]], number: int) -> dict[str, list[Any]]:
    """What was promised last, what has been seen since, and what the next mark says: that work may just be done."""
    before = [mark for at, mark in marks if at <= number]
    start = max((at for at, mark in enumerate(before) if mark["kind"] == "promised"), default=0)
    coming = next((mark for at, mark in marks if at > number), None)
    right = [*before[start:], *([coming] if coming else [])]
    return {name: [mark["views"][name] for mark in right] or [None] for name in (MAIN, COPY)}


def _identity(image: Image, allowed: dict[str, list[Any]]) -> bytes:
    digest = hashlib.blake2b(json.dumps(allowed).encode())
    for path, data in image.items():
        if Path(path).name not in LOCKS:
            digest.update(repr((path, data and hashlib.blake2b(data).digest())).encode())
    return digest.digest()


def lay_out(image: Image, top: Path, chance: random.Random) -> None:
    """Make the files."""
    shutil.rmtree(top, ignore_errors=True)
    top.mkdir()
    for name, data in image.items():
        path = top / name
        if data is None:
            path.mkdir(mode=0o700)
        else:
            path.write_bytes(chance.randbytes(chance.choice((0, 64, 32896))) if path.name in LOCKS else data)


class Judge:
    """Says what is wrong with states. `next_runs` is the share of them in which work goes on as well."""

    def __init__(self, top: Path, *, seed: int, next_runs: float) -> None:
        self._top = top
        self._chance = random.Random(seed)
        self._next_runs = next_runs
        self._compared: set[ObjectId] = set()

    def failures(self, state: State) -> list[str]:
        """Sentences; none, if all is well."""
        lay_out(state.image, self._top, self._chance)
        next_run = self._chance.random() < self._next_runs
        found = []
        for name in (MAIN, COPY):
            try:
                self._check(self._top / name, state.allowed[name])
                if next_run:
                    self._go_on(self._top / name)
            except (AssertionError, IccStoreError) as error:
                found.append(f"{state}: {name}: {type(error).__name__}: {error}"[:600])
        return found

    def _check(self, path: Path, allowed: list[Any]) -> None:
        """The repository opens, shows what it should, and everything in it is whole."""
        try:
            with open_repository(path, timeout=0) as repository:
                shown = view_of(repository)
                assert shown in allowed, f"it shows {shown}, and should {allowed}"
                self._check_contents(repository)
        except (RepositoryNotFound, NotARepository):
            if None not in allowed:
                raise

    def _check_contents(self, repository: Repository) -> None:
        """What a snapshot's id stands for is compared once and now and then; that it can be read, each time."""
        result = verify(repository, options=VerifyOptions(threads=1))
        assert not result.findings, result.findings
        for one in repository.snapshots(forgotten=True):
            if one.id not in self._compared or self._chance.random() < 0.05:
                assert contents(repository, one) == files_of(one.record.name), one.record.name
                self._compared.add(one.id)

    def _go_on(self, path: Path) -> None:
        """Work on, from making the repository where there is none."""
        if not (path / HEADER_NAME).exists():
            create_repository(path)
        with open_repository(path, timeout=0) as repository:
            living = {one.record.name for one in repository.snapshots()}
        source = path.with_name("source")
        snapshot_of(path, source, "after", 1)
        snapshot_of(path, source, "after", 2)
        collect_but(path, "after", 1)
        compact(path, timeout=0)
        with open_repository(path, timeout=0) as repository:
            assert set(view_of(repository)) == {*living, "after 2"}
            self._check_contents(repository)


def replay(found: Iterable[State], *, seed: int, next_runs: float) -> Report:
    """Try states, one after the other; in a share of them, `next_runs`, whether work can go on."""
    report = Report()
    with quick_place() as top:
        judge = Judge(top / "disk", seed=seed, next_runs=next_runs)
        for state in found:
            report.states[state.fate] += 1
            report.failures += judge.failures(state)
    return report


@contextmanager
def quick_place() -> Iterator[Path]:
    """A directory in memory where that can be had: thousands of repositories are made in it, and need no disk."""
    memory = Path("/dev/shm")
    place = memory if memory.is_dir() and os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="icc-store-power-", dir=place) as name:
        yield Path(name)
