"""Marks, compared with what is found by following each object by itself."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from icc_store.ids import ObjectId
from icc_store.limits import GC_IDS_TOGETHER, WHOLE_FILE_SIZE
from icc_store.model.closure import closure
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT
from icc_store.objects.block import Block
from icc_store.objects.index import Location
from icc_store.operations import gc_mark
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc_mark import Marks
from icc_store.operations.optimize import OptimizeOptions, optimize
from tests.support.live import clean, fill, snap
from tests.support.shelf import noise, words

Bits = dict[int, int]
DAYS = 12


def live_for_days(repository: Repository, source: Path, chance: random.Random) -> list[Snapshot]:
    """Snapshots of small files that change and go back, in several directories, and of a large file."""
    large = bytearray(noise(9, WHOLE_FILE_SIZE + 300_000))
    files = {f"d{each % 3}/{each}": words(each, 2500) for each in range(9)}
    past = dict(files)
    taken = []
    for day in range(DAYS):
        for name in chance.sample(sorted(files), 4):
            files[name] = (
                past[name] if chance.random() < 0.2 else files[name][:1200] + b"%d " % day + files[name][1203:]
            )
        large[1000 * day : 1000 * day + 4] = b"%04d" % day
        fill(source, files | {"large": bytes(large)})
        taken.append(snap(repository, source))
    return taken


def one_by_one(repository: Repository, snapshots: list[Snapshot]) -> tuple[Bits, Bits]:
    """Bits of what these snapshots need, and of what that is written against, directly or not."""
    objects = repository.objects
    live: Bits = {}
    bases: Bits = {}
    seen: set[ObjectId] = set()
    stack: list[Location] = []
    for snapshot in snapshots:
        for _, identity in list(closure(objects, snapshot.record.root, lambda one: one not in seen)):
            seen.add(identity)
            place = objects.locate(identity)
            assert place is not None
            live[place.block] = live.get(place.block, 0) | 1 << place.position
            stack.append(place)
    while stack:
        place = stack.pop()
        block = block_at(repository, place.block)
        frame = block.frames[block.frame_at(place.position)[0]]
        for key in frame.bases:
            below = objects.base_location(key, frame.depth)
            assert below is not None
            if not bases.get(below.block, 0) >> below.position & 1:
                bases[below.block] = bases.get(below.block, 0) | 1 << below.position
                stack.append(below)
    return live, bases


def block_at(repository: Repository, number: int) -> Block:
    block = repository.objects.block(number)
    assert block is not None
    return block


def marked(repository: Repository, snapshots: list[Snapshot]) -> Marks:
    marks = Marks(repository.objects, SILENT)
    marks.mark_trees([snapshot.record.root for snapshot in snapshots])
    marks.mark_bases()
    return marks


@pytest.fixture(params=[GC_IDS_TOGETHER, 3])
def together(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many ids are looked up at a time: nearly all of them, or few."""
    monkeypatch.setattr(gc_mark, "GC_IDS_TOGETHER", request.param)


@pytest.mark.usefixtures("together")
@pytest.mark.parametrize("seed", range(4))
def test_the_marks_are_those_of_a_plain_walk(repository: Repository, tmp_path: Path, seed: int) -> None:
    """Of any choice of snapshots: after days of changes, after gc, after gc that wrote anew, and after optimize."""
    chance = random.Random(f"marks {seed}")
    taken = live_for_days(repository, tmp_path / "source", chance)
    for step in ("as it was", "collected", "optimized"):
        chosen = chance.sample(taken, chance.randint(1, len(taken)))
        marks = marked(repository, chosen)
        assert (marks.live, marks.bases) == one_by_one(repository, chosen), step
        for number, bits in marks.live.items():
            everything = (1 << len(block_at(repository, number).ids)) - 1
            assert marks.is_whole(number) == (bits == everything)
        if step == "as it was":
            going, taken = taken[::3], [one for at, one in enumerate(taken) if at % 3]
            forget(repository, [one.id for one in going], options=ForgetOptions(purge=True))
            clean(repository)
        else:
            optimize(repository, options=OptimizeOptions(level=3))
