"""What was said about a snapshot and cannot be read any more keeps nobody from looking, nor from getting files back."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.ids import ObjectId
from icc_store.model.record import Subject
from icc_store.opening import create_repository, open_repository
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import fill, on_disk, snap
from tests.support.program import Program

FILES = {"a": b"1", "d/b": b"2"}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A repository of two snapshots, in which one of two tags cannot be read."""
    fill(tmp_path / "notes", FILES)
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        one = snap(repository, tmp_path / "notes", name="one")
        snap(repository, tmp_path / "notes", name="two")
        repository.annotate(one.id, Subject.TAG, "lost")
        repository.annotate(one.id, Subject.TAG, "kept")
        (lost, _) = [ObjectId(each) for _, each in repository.objects.transaction.items(Table.ANNOTATIONS)]
        damage.damage_block(repository, damage.block_of(repository, lost))
    return Program(tmp_path / "r")


def test_the_rest_is_listed(program: Program) -> None:
    """Both snapshots with all else that is known of them, a line on what to do, and the exit code of damage."""
    told = program("list")
    assert told.code == 6
    assert "one" in told.out
    assert "two" in told.out
    assert told.err.startswith("icc-store: 1 annotation")
    assert "run `icc-store verify`" in told.err
    document = program("--json", "list")
    assert document.code == 6
    assert [row["tags"] for row in document.document["snapshots"]] == [["kept"], []]


def test_files_come_back(program: Program, tmp_path: Path) -> None:
    """A restore does all its work, and says what it met."""
    told = program("restore", "two", "--target", tmp_path / "back")
    assert told.code == 6
    assert "1 annotation" in told.err
    assert on_disk(tmp_path / "back") == FILES


def test_nothing_is_decided_without_it(program: Program) -> None:
    """What may remove a snapshot refuses: what cannot be read may be a pin. After verify all is in order."""
    for command in (["gc", "--now"], ["forget", "one"]):
        refused = program(*command)
        assert refused.code == 6
        assert "run `icc-store verify`" in refused.err
    assert program("verify").code == 6
    program.good("list")
    program.good("forget", "one")
