"""Copies of whole repositories: complete, consistent, and no more than what is new."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import BlockDamaged, DamageError, UsageError
from icc_store.model.record import Snapshot, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import find_entry
from icc_store.monitor import SILENT, Monitor
from icc_store.opening import create_copy, create_repository, open_repository
from icc_store.operations.copy import CopyResult, copy_repository
from icc_store.operations.forget import ForgetOptions, forget, undelete
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.verify import verify
from tests.support.live import NOW, Contents, clean, contents, fill, new_clock, snap
from tests.support.mortal import Died, Mortal
from tests.support.neighbour import HookedClock, Neighbour, neighbour
from tests.support.shelf import noise, words

PURGE = ForgetOptions(purge=True)
FIRST: Contents = {"a": words(1, 20_000), "d/b": noise(2, 3000), "large": noise(3, 3_000_000)}
SECOND: Contents = {"a": words(1, 20_000) + b"more", "d/b": noise(2, 3000), "d/c": noise(4, 3000)}
THIRD: Contents = {"a": b"new" + words(1, 20_000), "d/c": noise(4, 3000)}


@pytest.fixture(scope="module")
def other() -> Iterator[Neighbour]:
    with neighbour() as process:
        yield process


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r", clock=new_clock()) as repository:
        yield repository


@contextmanager
def copied(source: Repository) -> Iterator[Repository]:
    """The copy beside it, open in the body."""
    path = source.path.with_name("copy")
    create_copy(path, source.header)
    with open_repository(path, clock=FixedClock(NOW)) as target:
        yield target


def copy(source: Repository, monitor: Monitor = SILENT) -> CopyResult:
    with copied(source) as target:
        return copy_repository(source, target, monitor=monitor)


def take(repository: Repository, files: Contents) -> Snapshot:
    fill(repository.path.with_name("source"), files)
    return snap(repository, repository.path.with_name("source"))


def holds(source: Repository, expected: dict[bytes, Contents], *, damaged: bool = False) -> None:
    """The copy has these snapshots, each whole."""
    with copied(source) as target:
        assert {one.id for one in target.snapshots(forgotten=True)} == set(expected)
        for one in target.snapshots(forgotten=True):
            assert contents(target, one) == expected[one.id]
        assert verify(target).damaged is damaged


def test_a_copy_has_everything(source: Repository) -> None:
    """Snapshots, their numbers and what was said about them; the same repository, and another instance of it."""
    first, second = take(source, FIRST), take(source, SECOND)
    source.annotate(second.id, Subject.TAG, "x")
    result = copy(source)
    assert (result.snapshots, result.annotations) == (2, 1)
    assert result.blocks > 0
    holds(source, {first.id: FIRST, second.id: SECOND})
    with copied(source) as target:
        assert [one.record for one in target.snapshots()] == [first.record, second.record]
        assert target.snapshots()[1].tags == ("x",)
        assert target.header.repository == source.header.repository
        assert target.header.instance != source.header.instance


def test_only_what_is_new(source: Repository) -> None:
    """A second run without news copies nothing; one with news copies about that."""
    first = take(source, FIRST)
    copy(source)
    assert copy(source) == CopyResult(0, 0, 0, 0)
    second = take(source, SECOND)
    third = copy(source)
    assert (third.snapshots, third.annotations) == (1, 0)
    assert 0 < third.size < 20_000
    assert copy(source) == CopyResult(0, 0, 0, 0)
    holds(source, {first.id: FIRST, second.id: SECOND})


def test_nothing_is_copied_again_after_gc(source: Repository) -> None:
    """What gc has moved in the first repository is not copied a second time."""
    many = {f"file {number}": noise(number, 2000) for number in range(60)}
    few = {name: many[name] for name in ("file 3", "file 30")}
    first, second = take(source, many), take(source, few)
    copy(source)
    forget(source, [first.id], options=PURGE)
    clean(source)
    assert copy(source).blocks == 0
    holds(source, {first.id: many, second.id: few})


def test_it_forgets_what_the_first_forgot(source: Repository) -> None:
    """Forgetting and bringing back follow; what is gone for good there stays here until gc removes it here."""
    first, second = take(source, FIRST), take(source, SECOND)
    copy(source)
    forget(source, [first.id])
    assert copy(source).annotations == 1
    with copied(source) as target:
        assert [one.id for one in target.snapshots()] == [second.id]
    undelete(source, [first.id])
    copy(source)
    with copied(source) as target:
        assert [one.id for one in target.snapshots()] == [first.id, second.id]
    forget(source, [first.id], options=PURGE)
    copy(source)
    clean(source)
    copy(source)
    holds(source, {first.id: FIRST, second.id: SECOND})
    with copied(source) as target:
        assert [one.id for one in clean(target, hours=24).removed] == [first.id]
    holds(source, {second.id: SECOND})
    assert copy(source).snapshots == 0


def test_a_base_that_the_copy_has_let_go(source: Repository) -> None:
    """What new objects are written against is copied again where the copy's own gc has removed it."""
    first = take(source, FIRST)
    forget(source, [first.id], options=PURGE)
    copy(source)
    with copied(source) as target:
        assert [one.id for one in clean(target).removed] == [first.id]
    second = take(source, SECOND)
    changed = find_entry(source.objects, second.record.root, b"a")
    assert changed is not None
    frame = source.objects.frame_of(changed[0].chunk or b"")
    assert frame is not None
    assert frame[2].bases
    copy(source)
    holds(source, {first.id: FIRST, second.id: SECOND})  # the first is still there, forgotten, in the source


def stored_the_other_way_round(source: Repository) -> tuple[dict[bytes, Contents], Contents]:
    """Let source and copy have the versions of a file at opposite depths; returns what the copy has, and what is next.

    The copy has each written against the one before. The source has forgotten all, and then gone back through them;
    it stopped at one that it can read in a few steps, and the copy in many.
    """
    states = [{"a": words(1, 20_000) + b"%d" % number} for number in range(16)]
    expected = {take(source, state).id: state for state in states}
    copy(source)
    forget(source, list(expected), options=PURGE)
    clean(source)
    expected |= {take(source, state).id: state for state in states[:9:-1]}
    copy(source)
    return expected, {"a": words(1, 20_000) + b"the next"}


def test_what_the_copy_has_at_other_depths(source: Repository) -> None:
    """New objects can be read where the copy has what they are written against, and all below, at greater depths."""
    expected, following = stored_the_other_way_round(source)
    expected[take(source, following).id] = following
    copy(source)
    holds(source, expected)
    assert copy(source) == CopyResult(0, 0, 0, 0)


def test_a_copy_that_dies(source: Repository) -> None:
    """Whenever a copy ends for good, all that has arrived can be read, and the next one brings the rest."""
    expected, following = stored_the_other_way_round(source)
    before = dict(expected)
    expected[take(source, following).id] = following
    path, at, monitor = source.path.with_name("copy"), 0, Mortal(0)
    shutil.copytree(path, path.with_name("as it was"))
    while not monitor.left:
        at += 1
        shutil.rmtree(path)
        shutil.copytree(path.with_name("as it was"), path)
        monitor = Mortal(at)
        with suppress(Died):
            copy(source, monitor)
        with copied(source) as target:
            assert not verify(target).damaged
            assert {one.id for one in target.snapshots()} >= set(before)
        copy(source)
        holds(source, expected)
    assert at > 3


@pytest.mark.parametrize("optimized", ["source", "copy", "both"])
def test_after_optimize(source: Repository, optimized: str) -> None:
    """What was written anew for size, here or there or both, is what later objects can be read with."""
    states = [{"a": words(1, 20_000) + b"%d" % number} for number in range(12)]
    expected = {take(source, state).id: state for state in states[:8]}
    copy(source)
    for name, repository in (("source", source), ("copy", None)):
        if optimized in (name, "both"):
            with nullcontext(repository) if repository else copied(source) as chosen:
                assert optimize(chosen, options=OptimizeOptions(level=1, threads=1)).complete
    for state in states[8:]:
        expected[take(source, state).id] = state
        copy(source)
    holds(source, expected)
    with copied(source) as target:  # and back, into a source that has lost them
        forget(source, list(expected), options=PURGE)
        clean(source)
        copy_repository(target, source)
    assert {one.id: contents(source, one) for one in source.snapshots()} == expected
    assert not verify(source).findings


def test_into_something_else(source: Repository, tmp_path: Path) -> None:
    """Another repository, the same one, and a copy with snapshots of its own are refused and left as they are."""
    take(source, FIRST)
    create_repository(tmp_path / "other")
    with open_repository(tmp_path / "other") as other_one, pytest.raises(UsageError, match="not a copy"):
        copy_repository(source, other_one)
    with pytest.raises(UsageError, match="the same repository"):
        copy_repository(source, source)
    copy(source)
    with copied(source) as target:
        fill(tmp_path / "own", {"own": b"1"})
        own = snap(target, tmp_path / "own")
    take(source, SECOND)
    with copied(source) as target:
        with pytest.raises(UsageError, match="snapshots of its own"):
            copy_repository(source, target)
        assert contents(target, own) == {"own": b"1"}
        assert not verify(target).damaged


def test_a_damaged_block(source: Repository) -> None:
    """Damage in the first repository is found before it is copied; what the copy has is complete in itself."""
    first = take(source, FIRST)
    copy(source)
    take(source, SECOND)
    with source.store.write() as txn:
        number, data = list(txn.blocks())[-2]
        row = txn.last_block()
        assert row > number
        txn.delete_block(number)
        moved = bytearray(data)
        moved[-1] ^= 1
        later = [(each, block) for each, block in txn.blocks(number + 1)]
        for each, _ in later:
            txn.delete_block(each)
        txn._txn.put(number.to_bytes(8, "big"), bytes(moved), db=source.store.block_table)  # type: ignore[attr-defined]
        for each, block in later:
            txn._txn.put(each.to_bytes(8, "big"), block, db=source.store.block_table)  # type: ignore[attr-defined]
    source.objects.forget()
    with copied(source) as target, pytest.raises(DamageError) as caught:
        copy_repository(source, target)
    assert isinstance(caught.value, BlockDamaged)
    holds(source, {first.id: FIRST})


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_while_others_go_on(source: Repository, other: Neighbour, tmp_path: Path, step: float) -> None:
    """Whenever a snapshot or a gc comes in between, every snapshot the copy has is whole, and the next run has all."""
    expected = {take(source, FIRST).id: FIRST, take(source, SECOND).id: SECOND}
    first = next(iter(expected))
    prepared = source.path
    for verb in ("snapshot", "forget"):
        at, looks = 1, 1
        while at <= looks:
            top = tmp_path / f"{verb} {at}"
            shutil.copytree(prepared, top / "r")
            known = dict(expected)

            def act(verb: str = verb, top: Path = top, known: dict[bytes, Contents] = known) -> None:
                if verb == "snapshot":
                    taken = other.snapshot(top / "r", top / "source", THIRD)
                    known.update(dict.fromkeys(taken, THIRD) if isinstance(taken, list) else {})
                else:
                    other.forget(top / "r", [first])

            clock = HookedClock(NOW, step=step, at=at, action=act)
            with open_repository(top / "r", clock=clock, readonly=True) as repository:
                copy(repository)
                looks, clock.at = clock.looks, 0
                with copied(repository) as target:
                    for one in target.snapshots():
                        assert contents(target, one) == known[one.id]
                    assert {one.id for one in target.snapshots()} >= set(expected) - {first}
                    assert not verify(target).damaged
                copy(repository)
                with copied(repository) as target:
                    assert {one.id for one in target.snapshots()} >= set(known) - {first}
            shutil.rmtree(top)
            at += max(1, looks // 12)


def test_a_copy_that_forgot_by_itself_stays_one(source: Repository) -> None:
    """gc on a copy says things of its own; later runs still bring what the source says, once."""
    first, second = take(source, FIRST), take(source, SECOND)
    copy(source)
    with copied(source) as target:
        forget(target, [first.id])
    source.annotate(second.id, Subject.NOTE, "said at the source")
    assert copy(source).annotations == 1
    assert copy(source).annotations == 0
    with copied(source) as target:
        assert [(one.id, one.note) for one in target.snapshots()] == [(second.id, "said at the source")]
        assert not verify(target).damaged
