"""gc in a repository with a damaged block: it refuses before anything is changed, or does all else and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.errors import DamageError
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import find_entry
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.gc import GcOptions, collect
from icc_store.operations.verify import Severity, verify
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import Contents, clean, contents, fill, object_ids, snap
from tests.support.program import Program
from tests.support.shelf import noise

PURGE = ForgetOptions(purge=True)
BOTH: Contents = {"both": noise(1, 3000), "d/both": noise(2, 3000)}
FIRST: Contents = BOTH | {"first": noise(3, 3000), "f/deep/first": noise(4, 3000)}
SECOND: Contents = BOTH | {"second": noise(5, 3000)}


def history(repository: Repository, source: Path) -> tuple[Snapshot, Snapshot]:
    """Two snapshots of one directory, and a forgotten one of another; what only that needs has blocks of its own."""
    other = source.with_name("other")
    fill(source, BOTH)
    snap(repository, source)
    fill(source, SECOND)
    second = snap(repository, source)
    fill(other, FIRST)
    first = snap(repository, other)
    forget(repository, [first.id], options=PURGE)
    return first, second


def state(repository: Repository) -> tuple[set[bytes], list[int], int]:
    repository.objects.forget()
    listed = len(list(repository.objects.transaction.items(Table.SNAPSHOTS)))
    return object_ids(repository), damage.block_numbers(repository), listed


def blocks(tmp_path: Path) -> list[int]:
    """The numbers of all blocks of such a repository: it is the same each time."""
    create_repository(tmp_path / "once")
    with open_repository(tmp_path / "once") as repository:
        history(repository, tmp_path / "source")
        return damage.block_numbers(repository)


@pytest.mark.parametrize("share", [0.0, 0.6])
def test_whatever_block_is_damaged(tmp_path: Path, share: float) -> None:
    """Of each block in turn: nothing is lost by gc, gc again changes nothing, and verify and a snapshot heal it all.

    But for old snapshots of what is on no disk any more; those are marked, and go when they are forgotten.
    """
    source, ends = tmp_path / "source", set()
    for number in blocks(tmp_path):
        create_repository(tmp_path / f"r{number}")
        with open_repository(tmp_path / f"r{number}") as repository:
            first, second = history(repository, source)
            damage.damage_block(repository, number, share)
            before = state(repository)
            try:
                result = clean(repository)
            except DamageError:
                assert state(repository) == before
                ends.add("refused")
            else:
                assert contents(repository, second) == SECOND
                assert result.unreadable in ((), (number,))
                after = state(repository)
                assert clean(repository).unreadable == result.unreadable
                assert state(repository) == after
                ends.add("told" if result.unreadable else "not met")
            verify(repository)
            assert contents(repository, snap(repository, source)) == SECOND
            verify(repository)
            assert contents(repository, second) == SECOND
            for one in repository.snapshots():
                if one.suspect:
                    assert one.id not in (first.id, second.id)
                    forget(repository, [one.id], options=PURGE)
            clean(repository)
            verify(repository)  # now that nothing else is damaged it removes the block
            assert clean(repository).unreadable == ()
            assert verify(repository).findings == ()
    assert ends == {"refused", "told", "not met"}


def test_nothing_leads_to_what_was_left(repository: Repository, tmp_path: Path) -> None:
    """Where the damaged block holds a tree, no later snapshot takes that for stored: what it held has gone."""
    first, second = history(repository, tmp_path / "source")
    number = damage.block_of(repository, first.record.root)
    damage.damage_block(repository, number)
    dry = collect(repository, options=GcOptions(undelete_hours=0, dry_run=True))
    assert dry.unreadable == (number,)
    assert clean(repository).unreadable == (number,)
    assert repository.objects.locate(first.record.root) is None
    again = snap(repository, tmp_path / "other")
    assert again.record.root == first.record.root
    assert contents(repository, again) == FIRST
    assert contents(repository, second) == SECOND
    found = verify(repository)
    assert [finding.severity for finding in found.findings] == [Severity.INCONSISTENCY]
    assert verify(repository).findings == ()
    assert clean(repository).unreadable == ()


def test_lost_data_names_its_snapshots(tmp_path: Path) -> None:
    """gc stops over snapshots whose data is lost, and names them with the command that lets go of them.

    One that is whole is not named, nor one that was healed since verify called it suspect. Then gc goes on.
    """
    source, other = tmp_path / "source", tmp_path / "other"
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        for number in range(3):
            fill(source, {"shared": noise(1, 3000), "own": noise(number, 3000)})
            snap(repository, source, name=f"lost {number}")
        fill(other, {"healed": noise(7, 3000)})
        snap(repository, other)
        files = zip(repository.snapshots()[2:], (b"shared", b"healed"), strict=True)
        found = [find_entry(repository.objects, snapshot.record.root, name) for snapshot, name in files]
        for number in [damage.block_of(repository, one[0].chunk) for one in found if one]:
            damage.damage_block(repository, number)
        (source / "shared").unlink()
        snap(repository, source, name="whole")
    program = Program(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        ids = [snapshot.id.hex()[:8] for snapshot in repository.snapshots()]
    assert program("verify").code == 6
    program.good("snapshot", str(other), "--name", "healing")
    told = program("gc", "--now")
    assert told.code == 6
    assert "'lost 0'" in told.err
    assert f"`icc-store forget {' '.join(ids[:3])} --purge`" in told.err
    program.good("forget", *ids[:3], "--purge")
    assert "3 removed for good" in program("gc", "--now").out
    assert program("verify").code == 6  # it removes the damaged blocks, which nothing needs any more
    program.good("verify")
    program.good("gc", "--now")


def test_what_a_user_is_told(tmp_path: Path) -> None:
    """gc prints what it did, then says what it left and what to do, with exit code 6; after verify all is in order."""
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        first, _ = history(repository, tmp_path / "source")
        number = damage.block_of(repository, first.record.root)
        damage.damage_block(repository, number)
    program = Program(tmp_path / "r")
    done = program("gc", "--now")
    assert done.code == 6
    assert "1 removed for good" in done.out
    assert (
        f"damaged blocks that nothing needs were left: {number}; all else was done (run `icc-store verify`" in done.err
    )
    told = program("--json", "gc")
    assert told.code == 6
    assert told.document["unreadable"] == [number]
    assert program("verify").code == 6
    program.good("verify")
    program.good("gc")
