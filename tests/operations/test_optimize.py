"""optimize on real repositories: smaller, whole, by the same format, and done once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.errors import DamageError
from icc_store.ids import Kind
from icc_store.limits import KIB, MAX_OBJECTS_PER_BLOCK
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.verify import verify
from tests.support.live import Contents, clean, contents, fill, new_clock, on_disk, snap
from tests.support.shelf import noise, words

READER = Path(__file__).parents[1] / "independent_reader.py"
FAST = OptimizeOptions(level=9)
FACTOR = 0.75
"""What is left at most of the blocks of a history of small entities and their index."""

FACTOR_OF_ALL = 0.95
"""The same with all pages of so small a repository, most of which hold index rows and notes for the next snapshot."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", exclusive=True, clock=new_clock()) as opened:
        yield opened


_TEXTS = [words(each, 300).decode() for each in range(140)]


def day(number: int) -> Contents:
    """A memory as it stands on one day: entities with a score that decays, and an index of all of them."""
    entities = {}
    for each in range(120 + number):
        fields = {"id": f"Learning-{each}", "score": round(0.9**number, 3) if each % 2 else 1, "uses": each * number}
        entities[f"entities/Learning/{each % 3}/{each}.json"] = json.dumps(
            {**fields, "text": _TEXTS[each]}, indent=1
        ).encode()
    index = [{"id": f"Learning-{each}", "title": _TEXTS[each][:60]} for each in range(len(entities))]
    return {
        **entities,
        "index.json": json.dumps(index, indent=1).encode(),
        "photo": noise(7, 4000),
        "log": b"".join(b'{"line": %d, "passed": true}\n' % line for line in range(70_000 + 40 * number)),
    }


def history(repository: Repository, source: Path, days: int) -> dict[bytes, Contents]:
    """A snapshot a day, and what each must hold."""
    expected = {}
    for number in range(days):
        fill(source, day(number))
        expected[snap(repository, source).id] = day(number)
    return expected


def check(repository: Repository, expected: dict[bytes, Contents]) -> None:
    """Every snapshot holds what it must, and all that is stored is sound."""
    found = {one.id: contents(repository, one) for one in repository.snapshots(forgotten=True)}
    assert found == expected
    assert verify(repository).findings == ()


def used_bytes(repository: Repository) -> int:
    """The database file without what is free in it."""
    return (repository.path / "data.mdb").stat().st_size - repository.reusable_bytes()


def test_it_gets_smaller_and_holds_the_same(repository: Repository, tmp_path: Path) -> None:
    """A history shrinks by the factors named above, comes back equal, and is done once: a second run finds nothing."""
    expected = history(repository, tmp_path / "source", 8)
    before = used_bytes(repository)
    result = optimize(repository, options=FAST)
    assert result.due
    assert result.complete
    assert result.bytes_after < FACTOR * result.bytes_before
    assert used_bytes(repository) < FACTOR_OF_ALL * before
    check(repository, expected)
    again = optimize(repository, options=FAST)
    assert not again.due
    assert again.blocks == 0


def test_the_independent_reader_reads_it(repository: Repository, tmp_path: Path) -> None:
    """What optimize writes is the format as the document has it."""
    expected = history(repository, tmp_path / "source", 2)
    optimize(repository, options=FAST)
    for identity, files in expected.items():
        target = tmp_path / identity.hex()[:8]
        command = [sys.executable, READER, repository.path, identity.hex(), target]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert on_disk(target) == files


def test_a_dry_run_changes_nothing_and_tells_the_same(repository: Repository, tmp_path: Path) -> None:
    """What a dry run says is what the run does, byte for byte; the repository stays as it was."""
    history(repository, tmp_path / "source", 3)
    blocks = list(repository.objects.transaction.blocks())
    rows = list(repository.objects.transaction.rows())
    plan = optimize(repository, options=OptimizeOptions(level=9, dry_run=True))
    repository.objects.renew()
    assert list(repository.objects.transaction.blocks()) == blocks
    assert list(repository.objects.transaction.rows()) == rows
    done = optimize(repository, options=FAST)
    assert (plan.objects, plan.blocks, plan.bytes_before, plan.bytes_after) == (
        done.objects,
        done.blocks,
        done.bytes_before,
        done.bytes_after,
    )


def test_new_snapshots_go_on_from_it(repository: Repository, tmp_path: Path) -> None:
    """What changes afterwards is written against what optimize has made, and the next run takes it in."""
    expected = history(repository, tmp_path / "source", 3)
    optimize(repository, options=FAST)
    last = repository.objects.transaction.last_block()
    fill(tmp_path / "source", day(3))
    taken = snap(repository, tmp_path / "source")
    expected[taken.id] = day(3)
    frames = [
        frame
        for number in range(last + 1, repository.objects.transaction.last_block() + 1)
        for frame in _frames(repository, number)
        if frame.kind == Kind.CHUNK
    ]
    assert sum(len(frame.ids) for frame in frames if frame.bases) > 0.9 * sum(len(frame.ids) for frame in frames)
    check(repository, expected)
    assert optimize(repository, options=FAST).complete
    check(repository, expected)


def test_every_chain_is_short(repository: Repository, tmp_path: Path) -> None:
    """After it, the newest version of every file stands in a frame without bases, and blocks are of bounded size."""
    expected = history(repository, tmp_path / "source", 4)
    optimize(repository, options=FAST)
    repository.objects.forget()
    for number, _ in list(repository.objects.transaction.block_sizes()):
        frames = _frames(repository, number)
        assert sum(len(frame.ids) for frame in frames) <= MAX_OBJECTS_PER_BLOCK
        for frame in frames:
            assert frame.depth <= 2
            assert frame.cost <= 8 * KIB * 2
    newest = repository.snapshots()[-1]
    assert _deepest(repository, newest) == 0
    assert list(expected)[-1] == newest.id


def test_what_is_forgotten_goes_afterwards(repository: Repository, tmp_path: Path) -> None:
    """gc removes snapshots from an optimized repository as from any other."""
    expected = history(repository, tmp_path / "source", 4)
    optimize(repository, options=FAST)
    for gone in (0, 1, -1):
        identity = list(expected)[gone]
        del expected[identity]
        forget(repository, [identity], options=ForgetOptions(purge=True))
        clean(repository)
        check(repository, expected)


def test_time_is_bounded_and_the_next_run_goes_on(repository: Repository, tmp_path: Path) -> None:
    """A run without time does a little; those that follow do the rest, and write nothing twice."""
    files = {f"d{number}/{each}": words(100 * number + each, 90_000) for number in range(4) for each in range(20)}
    fill(tmp_path / "source", files)
    expected = {snap(repository, tmp_path / "source").id: files}
    total = optimize(repository, options=OptimizeOptions(level=1, dry_run=True)).objects
    objects = runs = 0
    while True:
        result = optimize(repository, options=OptimizeOptions(level=1, most_seconds=-1.0, threads=1))
        check(repository, expected)
        objects += result.objects
        runs += 1
        if not result.due or result.complete:
            break
        assert runs < 50
    assert runs > 1
    assert objects == total


def test_what_cannot_be_read_is_left(repository: Repository, tmp_path: Path) -> None:
    """Where an object is damaged the run ends with that error, and what can be read still can."""
    expected = history(repository, tmp_path / "source", 2)
    *older, newest = expected
    root = repository.snapshot(newest).record.root
    row = repository.objects.transaction.row(root[:16])
    assert row is not None
    with repository.store.write() as txn:
        txn.delete_rows([row])
    repository.objects.forget()
    with pytest.raises(DamageError):
        optimize(repository, options=FAST)
    for identity in older:
        assert contents(repository, repository.snapshot(identity)) == expected[identity]


def test_any_tree(repository: Repository, tmp_path: Path) -> None:
    """Random histories of two sources with moved, equal, empty and deleted files stay whole."""
    chance = random.Random(5)
    expected: dict[bytes, Contents] = {}
    texts = [words(each, chance.randrange(1, 3000)) for each in range(40)]
    for number in range(12):
        files = {
            f"{'abc'[chance.randrange(3)]}/{chance.randrange(9)}/{chance.randrange(20)}": chance.choice(texts)
            + b"%d" % chance.randrange(4)
            for _ in range(60)
        }
        files["empty"] = b""
        top = tmp_path / f"source {number % 2}"
        fill(top, files)
        expected[snap(repository, top, source=f"source {number % 2}").id] = files
        if number % 5 == 4:
            optimize(repository, options=OptimizeOptions(level=3))
            check(repository, expected)
    optimize(repository, options=FAST)
    check(repository, expected)


def _frames(repository: Repository, number: int) -> tuple:
    block = repository.objects.block(number)
    return () if block is None else block.frames


def _deepest(repository: Repository, snapshot: Snapshot) -> int:
    from icc_store.model.closure import closure

    seen: set[bytes] = set()

    def visit(identity: bytes) -> bool:
        new = identity not in seen
        seen.add(identity)
        return new

    depths = []
    for kind, identity in closure(repository.objects, snapshot.record.root, visit):
        place = repository.objects.frame_of(identity)
        if kind in (Kind.CHUNK, Kind.TREE) and place is not None:
            depths.append(place[2].depth)
    return max(depths)
