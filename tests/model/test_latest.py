"""The newest snapshot of a source: found without reading what came before it, also where lists were made anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.clock import FixedClock
from icc_store.ids import Kind
from icc_store.model.header import new_header
from icc_store.model.record import Snapshot, SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.opening import create_copy, create_repository, open_for_repair, open_repository
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import collect
from icc_store.operations.repair import rebuild
from icc_store.operations.verify import verify
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.reads import reads
from tests.support.snapshots import take


def in_memory() -> Repository:
    return Repository(Path("nowhere"), new_header(), MemoryStore(), clock=FixedClock(time.time_ns()))


def test_it_takes_no_longer_with_many() -> None:
    """One record is read, and what was said since then: whether three snapshots came before or sixty."""
    repository = in_memory()
    for step in range(60):
        snapshot = take(repository, {"a": b"%d" % step})
        repository.annotate(snapshot.id, Subject.NOTE, "so it is")
        if step in (3, 59):
            with reads(repository) as found:
                assert repository.latest("home") == repository.snapshots()[-1]
            assert found.of(Kind.SNAPSHOT)[: len(found.of(Kind.SNAPSHOT)) - step - 1] == [snapshot.id]
            assert len(found.of(Kind.ANNOTATION)) == 1 + step + 1


steps = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.sampled_from("ab"), st.sampled_from(["full", "safety"])),
        st.tuples(st.just("forget"), st.integers(0, 9), st.booleans()),
        st.tuples(st.just("note"), st.integers(0, 9), st.text(max_size=3)),
    ),
    max_size=25,
)


@given(steps)
def test_it_is_the_last_that_is_not_forgotten(done: list[tuple[str, str, str] | tuple[str, int, bool | str]]) -> None:
    """After any history, for each source: the last full snapshot in the list, with all that is said of it."""
    repository = in_memory()
    taken: list[Snapshot] = []
    for what, which, how in done:
        if isinstance(which, str):
            taken.append(take(repository, {"a": b"%d" % len(taken)}, source=which, kind=SnapshotClass(str(how))))
        elif taken:
            subject = Subject.FORGOTTEN if what == "forget" else Subject.NOTE
            repository.annotate(taken[which % len(taken)].id, subject, how)
    for source in "ab":
        known = [one for one in repository.snapshots() if (one.record.source, one.record.kind) == (source, "full")]
        assert repository.latest(source) == (known[-1] if known else None)


def later_copy(path: Path) -> Path:
    """A copy made when all is there that is."""
    copy = path.with_name("copy")
    with open_repository(path) as source:
        create_copy(copy, source.header)
        with open_repository(copy) as target:
            copy_repository(source, target)
    return copy


def without_its_counter(path: Path) -> Path:
    """The same, repaired after the number of the last annotation was lost."""
    with open_repository(path) as repository:
        damage.change(repository, lambda txn: txn.delete(Table.META, b"last annotations"))
        assert verify(repository).damaged
    with open_for_repair(path) as repairing:
        rescued = repairing.rescued
        rebuild(repairing.repository, rescued.listed_snapshots, rescued.listed_annotations, clock=FixedClock(0))
        repairing.take_place()
    return path


@pytest.mark.parametrize("elsewhere", [later_copy, without_its_counter])
def test_no_word_is_missed_where_lists_were_made_anew(tmp_path: Path, elsewhere: Callable[[Path], Path]) -> None:
    """Though annotations from before a snapshot are gone, none gets a number again that says it was before it."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as repository:
        old = take(repository, {"a": b"old"})
        for _ in range(9):
            repository.annotate(old.id, Subject.NOTE, "so it was")
        forget(repository, [old.id], options=ForgetOptions(purge=True))
        collect(repository)
        new = take(repository, {"a": b"new"})
    with open_repository(elsewhere(tmp_path / "repository")) as repository:
        assert repository.latest("home") == repository.snapshot(new.id)
        repository.annotate(new.id, Subject.FORGOTTEN, True)
        assert repository.latest("home") is None
        assert verify(repository).findings == ()
