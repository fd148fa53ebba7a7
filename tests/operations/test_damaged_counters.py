"""The numbers that were given out last, damaged: too high, too low or nonsense."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_for_repair, open_repository
from icc_store.operations.repair import rebuild
from icc_store.operations.verify import verify
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.forked import forked
from tests.support.live import contents, fill, snap, within
from tests.support.shelf import words

FILES = {f"{number}": words(number, 3000) for number in range(8)}


@pytest.fixture
def path(tmp_path: Path, clock: FixedClock) -> Path:
    """A repository of three snapshots, one of them tagged."""
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r", clock=clock) as repository:
        for version in range(3):
            fill(tmp_path / "source", FILES | {"new": b"%d" % version * 500})
            made = snap(repository, tmp_path / "source")
        repository.annotate(made.id, Subject.TAG, "x")
    return tmp_path / "r"


def set_counter(path: Path, name: bytes, number: int, clock: FixedClock) -> None:
    with open_repository(path, clock=clock) as repository:
        damage.change(repository, lambda txn: txn.put(Table.META, b"last " + name, number.to_bytes(8)))


@pytest.mark.parametrize("number", [0, 1, 1 << 20, 1 << 30, 1 << 31, 1 << 40, 1 << 63])
def test_the_last_block(path: Path, tmp_path: Path, clock: FixedClock, number: int) -> None:
    """Verify and repair take neither all memory nor all day; what no repository can have said is found and mended."""
    set_counter(path, b"block", number, clock)
    with within(60), open_repository(path, clock=clock) as repository:
        assert verify(repository).damaged == (number < 2 or number >= 1 << 31)
    with within(60), open_for_repair(path, clock=clock) as repairing:
        result = rebuild(repairing.repository, repairing.rescued.listed_snapshots, clock=clock)
        repairing.take_place()
    assert result.snapshots == 3
    with open_repository(path, clock=clock) as repository:
        fill(tmp_path / "source", {"a": b"after"})
        assert contents(repository, snap(repository, tmp_path / "source")) == {"a": b"after"}
        assert verify(repository).findings == ()


def test_the_last_block_over_lost_pages(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """Nor does verify ask for each of a thousand million blocks where the table of blocks cannot be gone through."""
    set_counter(path, b"block", 1 << 30, clock)
    whole, head = (path / "data.mdb").read_bytes(), (path / "head").read_bytes()
    for page in damage.inner_pages(path / "data.mdb")[2:]:
        (path / "data.mdb").write_bytes(whole[:page] + bytes(4096) + whole[page + 4096 :])
        (path / "head").write_bytes(head)
        with within(60):
            done = forked(("--repo", path, "verify"), {"HOME": str(tmp_path)}, tmp_path)
        assert done.code in (0, 6), (page, done)


def add(repository: Repository, name: bytes, source: Path) -> None:
    if name == b"snapshots":
        snap(repository, source)
    else:
        repository.annotate(repository.snapshots()[0].id, Subject.TAG, "y")


@pytest.mark.parametrize("name", [b"snapshots", b"annotations"])
def test_the_last_of_a_list(path: Path, tmp_path: Path, clock: FixedClock, name: bytes) -> None:
    """A number that is taken is not given out again: what has it would be lost from the list."""
    set_counter(path, name, 0, clock)
    with open_repository(path, clock=clock) as repository:
        before = [one.id for one in repository.snapshots()]
        with pytest.raises(DamageError, match="counter"):
            add(repository, name, tmp_path / "source")
        assert verify(repository).damaged
        assert [one.id for one in repository.snapshots()] == before
        assert repository.snapshots()[-1].tags == ("x",)
