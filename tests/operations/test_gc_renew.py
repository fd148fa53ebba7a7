"""gc writes anew what leans on versions that no snapshot has any more: smaller, no deeper, and equal to the byte."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.ids import RECORD_KINDS, ObjectId
from icc_store.model.repository import Repository
from icc_store.objects.index import unpack_row
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import GcOptions, GcResult, collect
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.verify import verify
from tests.support.live import KEEP_ALL, Contents, contents, fill, new_clock, on_disk, snap
from tests.support.shelf import words

READER = Path(__file__).parents[1] / "independent_reader.py"
PURGE = ForgetOptions(purge=True)
DAYS = 25


@dataclass(frozen=True)
class Thinned:
    """A repository, and what its snapshots hold."""

    repository: Repository
    kept: dict[ObjectId, Contents]


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """An empty one."""
    create_repository(tmp_path / "empty")
    with open_repository(tmp_path / "empty", clock=new_clock()) as opened:
        yield opened


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[ObjectId, Contents]]:
    """A repository with a snapshot of every day's state."""
    top = tmp_path_factory.mktemp("history")
    create_repository(top / "r")
    with open_repository(top / "r", clock=new_clock()) as repository:
        return top / "r", live_through(repository, top / "source")


@pytest.fixture
def thinned(history: tuple[Path, dict[ObjectId, Contents]], tmp_path: Path) -> Iterator[Thinned]:
    """A copy of it in which all but every eighth snapshot are forgotten."""
    shutil.copytree(history[0], tmp_path / "repository")
    with open_repository(tmp_path / "repository", clock=new_clock()) as opened:
        yield Thinned(opened, thin_out(opened, history[1]))


def state(day: int) -> Contents:
    """Some files that change every day, a few lines of each, and some that never do."""
    chance = random.Random(f"state {day}")
    changing = {
        f"d{each % 3}/{each}": words(each, 3000) + chance.randbytes(30).hex().encode() + words(each + day, 40)
        for each in range(12)
    }
    return changing | {f"fixed {each}": words(100 + each, 900) for each in range(6)}


def live_through(repository: Repository, source: Path, days: range = range(DAYS)) -> dict[ObjectId, Contents]:
    """A snapshot of each day's state."""
    expected = {}
    for day in days:
        fill(source, state(day))
        expected[snap(repository, source).id] = state(day)
    return expected


def thin_out(repository: Repository, expected: dict[ObjectId, Contents]) -> dict[ObjectId, Contents]:
    """Forget all but every eighth; returns those."""
    taken = list(expected)
    kept = [taken[at] for at in range(0, len(taken), 8)]
    forget(repository, [one for one in taken if one not in kept], options=PURGE)
    return {one: expected[one] for one in kept}


def gather(repository: Repository, *, renew: bool = True, clock: FixedClock | None = None) -> GcResult:
    options = GcOptions(policy=KEEP_ALL, undelete_hours=0, renew=renew)
    return collect(repository, options=options, clock=clock or repository.clock)


def check(repository: Repository, expected: dict[ObjectId, Contents]) -> None:
    assert {one.id for one in repository.snapshots(forgotten=True)} == set(expected)
    for snapshot in repository.snapshots(forgotten=True):
        assert contents(repository, snapshot) == expected[snapshot.id]
    assert verify(repository).findings == ()


def content_bytes_stored(repository: Repository) -> int:
    """Bytes of all blocks that hold no record."""
    repository.objects.forget()
    sizes = list(repository.objects.transaction.block_sizes())
    return sum(size for number, size in sizes if first_kind(repository, number) not in RECORD_KINDS)


def first_kind(repository: Repository, number: int) -> int:
    block = repository.objects.block(number)
    assert block is not None
    return block.frames[0].kind


def passed_over(repository: Repository) -> int:
    """How many objects are kept for others alone, and are themselves written against something."""
    repository.objects.forget()
    count = 0
    for row in list(repository.objects.transaction.rows()):
        location = unpack_row(row)[1]
        block = repository.objects.block(location.block)
        assert block is not None
        count += location.base_only and bool(block.frames[block.frame_at(location.position)[0]].bases)
    return count


def depths(repository: Repository) -> dict[bytes, int]:
    """How deep each object is that something may refer to."""
    repository.objects.forget()
    found = {}
    for row in list(repository.objects.transaction.rows()):
        key, location = unpack_row(row)
        block = repository.objects.block(location.block)
        assert block is not None
        if not location.base_only:
            found[key] = block.frames[block.frame_at(location.position)[0]].depth
    return found


def test_chains_lose_what_no_snapshot_has(thinned: Thinned) -> None:
    """After thinning out, nothing in the midst of a chain is kept for others alone, and every snapshot is what it was.

    All of it takes fewer bytes than the sweep by itself would leave, and no object is deeper than before.
    """
    repository, kept = thinned.repository, thinned.kept
    assert gather(repository, renew=False).renewal is None
    before, deep, kept_for_others = content_bytes_stored(repository), depths(repository), passed_over(repository)
    assert kept_for_others > 100
    result = gather(repository)
    assert result.renewal is not None
    assert result.renewal.objects > 0
    assert passed_over(repository) == 0
    assert content_bytes_stored(repository) < 0.7 * before
    assert all(depth <= deep[key] for key, depth in depths(repository).items())
    check(repository, kept)


def test_the_independent_reader_reads_it(thinned: Thinned, tmp_path: Path) -> None:
    """What is written anew is the format as the document has it."""
    repository, kept = thinned.repository, thinned.kept
    assert gather(repository).renewal is not None
    for identity in list(kept)[::2]:
        target = tmp_path / identity.hex()[:8]
        command = [sys.executable, READER, repository.path, identity.hex(), target]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert on_disk(target) == kept[identity]


def test_once_is_enough(thinned: Thinned) -> None:
    """A second gc finds nothing to write anew, and changes no block."""
    repository, kept = thinned.repository, thinned.kept
    assert gather(repository).renewal is not None
    numbers = [number for number, _ in repository.objects.transaction.block_sizes()]
    assert gather(repository).renewal is None
    assert [number for number, _ in repository.objects.transaction.block_sizes()] == numbers
    check(repository, kept)


def test_new_snapshots_go_on_from_it(thinned: Thinned, tmp_path: Path) -> None:
    """What is taken afterwards is written against what was written anew, and can be thinned out again."""
    repository, kept = thinned.repository, thinned.kept
    gather(repository)
    kept |= thin_out(repository, live_through(repository, tmp_path / "source", range(DAYS, 2 * DAYS)))
    assert gather(repository).renewal is not None
    check(repository, kept)


def test_little_is_left_alone(repository: Repository, tmp_path: Path) -> None:
    """Where little was forgotten nothing is written anew."""
    expected = live_through(repository, tmp_path / "source", range(6))
    gone = list(expected)[2]
    forget(repository, [gone], options=PURGE)
    assert gather(repository).renewal is None
    del expected[gone]
    check(repository, expected)


def test_small_blocks_become_few(repository: Repository, tmp_path: Path) -> None:
    """The blocks of many small snapshots are put together, although nothing in them is dead."""
    expected = {}
    files: Contents = {}
    for day in range(20):
        files = files | {f"{day}": words(day, 200)}
        fill(tmp_path / "source", files)
        expected[snap(repository, tmp_path / "source").id] = files
    before = len(list(repository.objects.transaction.block_sizes()))
    assert gather(repository).renewal is not None
    after = len(list(repository.objects.transaction.block_sizes()))
    assert after <= len(expected) + 5 < before
    check(repository, expected)


def test_what_optimize_made_is_left_to_it(repository: Repository, tmp_path: Path) -> None:
    """Blocks that were made for size are not written anew for less size, whatever is dead in them."""
    expected = live_through(repository, tmp_path / "source")
    optimize(repository, options=OptimizeOptions(level=3))
    kept = thin_out(repository, expected)
    assert gather(repository).renewal is None
    check(repository, kept)


def test_time_is_bounded_and_the_next_gc_goes_on(thinned: Thinned) -> None:
    """When time is over no new work is begun; what was done stays, and later ones do the rest."""
    repository, kept = thinned.repository, thinned.kept
    gather(repository, renew=False)
    rounds = 0
    while passed_over(repository):
        assert gather(repository, clock=_Hasty(repository.clock.now_ns())).renewal is not None
        rounds += 1
    assert rounds > 1
    check(repository, kept)


class _Hasty(FixedClock):
    """A clock by which ten seconds go by at each look."""

    def monotonic(self) -> float:
        self.ns += 10_000_000_000
        return super().monotonic()
