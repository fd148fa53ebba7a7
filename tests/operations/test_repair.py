"""Repair: what is derived is made anew from the blocks; nothing removed comes back, nothing lost is hidden."""

from __future__ import annotations

import os
import random
from pathlib import Path

import lmdb
import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_for_repair, open_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.optimize import OptimizeOptions, optimize
from icc_store.operations.repair import RepairResult, rebuild
from icc_store.operations.verify import verify
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import clean, contents, fill, snap
from tests.support.program import Program
from tests.support.shelf import noise, words
from tests.support.versions import FILES, Versions, make_versions, opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_repository(tmp_path / "repository")
    return tmp_path / "repository"


@pytest.fixture
def versions(path: Path, tmp_path: Path, clock: FixedClock) -> Versions:
    """Four snapshots, after one that was removed."""
    return make_versions(path, tmp_path / "source", clock, count=4)


def repaired(path: Path, clock: FixedClock, *, keep: bool = True) -> RepairResult:
    with open_for_repair(path, clock=clock) as repairing:
        rescued = repairing.rescued
        result = rebuild(repairing.repository, rescued.listed_snapshots, rescued.listed_annotations, clock=clock)
        if keep:
            repairing.take_place()
    return result


def index_of(path: Path, clock: FixedClock) -> set[bytes]:
    with opened(path, clock) as repository:
        return set(repository.objects.transaction.rows())


def lose_table(path: Path, name: str) -> None:
    """Take a whole table out of the database, as damage of the one page that names them all would."""
    with lmdb.open(os.fspath(path), max_dbs=16) as env, env.begin(write=True) as txn:
        flags = {"dupsort": True, "dupfixed": True} if name == "index" else {}
        txn.drop(env.open_db(name.encode(), txn=txn, create=False, **flags))


@pytest.mark.parametrize("table", ["", "index", "snapshots", "annotations", "copies", "seen"])
def test_every_table_can_be_made_anew(
    path: Path, versions: Versions, tmp_path: Path, clock: FixedClock, table: str
) -> None:
    """Without any of the tables beside that of blocks all is as before, and nothing that was removed is back."""
    before = index_of(path, clock)
    if table:
        lose_table(path, table)
        if table != "seen":
            with pytest.raises(DamageError), opened(path, clock):
                pass
    result = repaired(path, clock)
    assert result.lost_snapshots == ()
    assert not result.check.damaged
    with opened(path, clock) as repository:
        assert [one.id for one in repository.snapshots(forgotten=True)] == [one.id for one, _ in versions]
        second = repository.snapshots()[0]
        assert (second.tags, second.pinned) == (("good",), True)
        for snapshot, files in versions:
            assert contents(repository, snapshot) == files
        verify(repository)
        assert verify(repository).findings == ()
        assert {row[:16] for row in repository.objects.transaction.rows()} == {row[:16] for row in before}
        fill(tmp_path / "source", FILES | {"more": b"more"})
        assert contents(repository, snap(repository, tmp_path / "source"))["more"] == b"more"
        assert verify(repository).findings == ()


def test_bases_stay_bases(path: Path, versions: Versions, clock: FixedClock) -> None:
    """What is kept only for deltas is marked so again: a new snapshot stores it anew and does not rely on it."""
    before = {row for row in index_of(path, clock) if row[16] >= 0x80}
    assert before
    lose_table(path, "index")
    repaired(path, clock)
    assert {row[:16] for row in index_of(path, clock) if row[16] >= 0x80} == {row[:16] for row in before}


def test_the_copy_that_can_be_read_is_kept(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """An old copy that was let go, in a block that stays for others, is not taken for the object when its base is gone.

    The middle version goes, and optimize writes the last one anew; then nothing needs the last one's first copy, which
    was written against the middle one.
    """
    states = [{"a": words(1, 20_000) + b"%d" % number} for number in range(3)]
    states[2]["b"] = noise(1, 1_000)
    with opened(path, clock) as repository:
        taken = []
        for state in states:
            fill(tmp_path / "source", state)
            taken.append(snap(repository, tmp_path / "source"))
        forget(repository, [taken[1].id], options=ForgetOptions(purge=True))
        clean(repository)
        optimize(repository, options=OptimizeOptions(level=1, threads=1))
    lose_table(path, "index")
    assert repaired(path, clock).check.findings == ()
    with opened(path, clock) as repository:
        for at in (0, 2):
            assert contents(repository, taken[at]) == states[at]
        clean(repository)
        assert verify(repository).findings == ()


def test_a_dry_run_changes_nothing(path: Path, versions: Versions, clock: FixedClock) -> None:
    """All is made beside the repository and thrown away."""
    lose_table(path, "index")
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file() and "lock" not in file.name}
    result = repaired(path, clock, keep=False)
    assert result.snapshots == len(versions)
    after = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file() and "lock" not in file.name}
    assert after == before
    assert not (path / "repair.tmp").exists()


def test_what_is_lost_is_named(path: Path, versions: Versions, clock: FixedClock) -> None:
    """A damaged block: its files are named, their snapshots suspect, and the others are whole."""
    victim = versions[3][0]
    with opened(path, clock) as repository:
        chunk = lookup(repository.objects, victim.record, b"new 4").entry.chunk
        damage.damage_block(repository, damage.block_of(repository, chunk))
    lose_table(path, "index")
    result = repaired(path, clock)
    assert result.damaged_blocks == 1
    assert result.check.damaged
    assert any(file.path == b"new 4" for finding in result.check.findings for file in finding.files)
    with opened(path, clock) as repository:
        assert repository.snapshots()[-1].suspect
        assert not repository.snapshots()[0].suspect
        assert contents(repository, versions[0][0]) == versions[0][1]


def test_a_snapshot_of_which_nothing_is_left(path: Path, versions: Versions, clock: FixedClock) -> None:
    """A record that is damaged in both places is lost, which is told; one that is damaged in one place is not."""
    gone, (saved, files) = versions[1][0], versions[2]
    with opened(path, clock) as repository:
        for one in (gone, saved):
            damage.damage_block(repository, damage.block_of(repository, one.id))
        key = next(key for key, _ in damage.copies_of(repository) if key.endswith(gone.id[:16]))
        damage.change(repository, lambda txn: txn.delete(Table.COPIES, key))
    result = repaired(path, clock)
    assert result.lost_snapshots == (gone.id,)
    with opened(path, clock) as repository:
        assert {one.id for one in repository.snapshots()} == {one.id for one, _ in versions} - {gone.id}
        assert contents(repository, saved) == files


def test_an_older_database(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """What an older database still has is usable again, and how many commits are lost is told."""
    fill(tmp_path / "source", {"a": b"1"})
    with opened(path, clock) as repository:
        first = snap(repository, tmp_path / "source")
    old = (path / "data.mdb").read_bytes()
    fill(tmp_path / "source", {"a": b"2"})
    with opened(path, clock) as repository:
        snap(repository, tmp_path / "source")
    (path / "data.mdb").write_bytes(old)
    with open_for_repair(path, clock=clock) as repairing:
        assert repairing.rescued.lost_commits == 1
        rebuild(repairing.repository, repairing.rescued.listed_snapshots, clock=clock)
        repairing.take_place()
    with opened(path, clock) as repository:
        assert [one.id for one in repository.snapshots()] == [first.id]
        assert contents(repository, first) == {"a": b"1"}


def test_numbers_are_not_given_out_twice(path: Path, versions: Versions, tmp_path: Path, clock: FixedClock) -> None:
    """Blocks keep their numbers, and the next snapshot has the next one, as if nothing had happened."""
    with opened(path, clock) as repository:
        last = repository.objects.transaction.last_block()
        numbers = set(damage.block_numbers(repository))
    lose_table(path, "snapshots")
    repaired(path, clock)
    with opened(path, clock) as repository:
        assert numbers <= set(damage.block_numbers(repository))
        made = snap(repository, tmp_path / "source")
        assert damage.block_of(repository, made.id) > last
        assert made.record.seq == versions[-1][0].record.seq + 1


def test_damaged_pages(path: Path, versions: Versions, clock: FixedClock) -> None:
    """Wherever the database is damaged: what repair brings back is what was stored, or it is told to be lost."""
    chance = random.Random("pages")
    whole = {name: (path / name).read_bytes() for name in ("data.mdb", "head")}
    pages = damage.inner_pages(path / "data.mdb")
    for _ in range(25):
        for name, data in whole.items():
            (path / name).unlink(missing_ok=True)
            (path / name).write_bytes(data)
        for _ in range(3):
            page = chance.choice(pages[2:])
            with (path / "data.mdb").open("r+b") as file:
                file.seek(page + chance.choice([0, chance.randrange(16, 4000)]))
                file.write(chance.randbytes(16))
        try:
            result = repaired(path, clock)
        except DamageError:
            continue  # not even the list of its tables can be read
        with opened(path, clock) as repository:
            listed = {one.id: one for one in repository.snapshots(forgotten=True)}
            assert listed.keys() <= {one.id for one, _ in versions}
            for snapshot, files in versions:
                if snapshot.id in listed and not listed[snapshot.id].suspect:
                    assert contents(repository, snapshot) == files
                elif snapshot.id in listed:
                    assert result.check.damaged


@pytest.mark.parametrize("cut", [2, 5, 9])
def test_it_gives_up_rather_than_replace_all_by_nothing(
    path: Path, versions: Versions, tmp_path: Path, cut: int
) -> None:
    """Where LMDB leads to no block, the database stays where it is, and salvage is advised."""
    assert versions
    data = path / "data.mdb"
    kept = data.read_bytes()[: cut * 4096]
    data.write_bytes(kept)
    done = Program(path)("repair")
    assert done.code == 6
    assert "icc-store salvage" in done.err
    assert data.read_bytes()[: len(kept)] == kept
    assert not (path / "damaged.mdb").exists()


def test_lost_commits_are_a_loss(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """An older database is made usable, and the exit code says that something is gone."""
    program = Program(path)
    fill(tmp_path / "source", {"a": b"1"})
    program.good("snapshot", tmp_path / "source")
    old = (path / "data.mdb").read_bytes()
    program.good("snapshot", tmp_path / "source", "--name", "lost")
    (path / "data.mdb").write_bytes(old)
    done = program("repair")
    assert done.code == 6
    assert "1 commits are lost" in done.out
    assert program("verify").code == 0


def test_the_command(tmp_path: Path) -> None:
    """It says what was wrong and what is there again; with something lost the exit code is 6; the old file is kept."""
    fill(tmp_path / "source", {"a": b"1" * 900, "b": b"2" * 900})
    program = Program(tmp_path / "r")
    program.good("init")
    program.good("snapshot", tmp_path / "source", "--name", "first")
    program.good("snapshot", tmp_path / "source", "--name", "second")
    lose_table(tmp_path / "r", "snapshots")
    assert program("list").code == 6
    planned = program("repair", "--dry-run", "--json")
    assert planned.code == 0, planned
    assert planned.document["snapshots"] == 2
    assert planned.document["kept"] is None
    assert program("list").code == 6
    done = program("repair")
    assert done.code == 0, done
    assert "the table of snapshots cannot be read" in done.out
    assert f"kept as {tmp_path}/r/damaged.mdb" in done.out
    assert [row["name"] for row in program("list", "--json-lines").rows] == ["first", "second"]
    assert program("verify").code == 0
    with open_repository(tmp_path / "r") as repository:
        chunk = lookup(repository.objects, repository.snapshots()[0].record, b"b").entry.chunk
        damage.damage_block(repository, damage.block_of(repository, chunk))
    lost = program("repair")
    assert lost.code == 6
    assert "lost: " in lost.out
    assert "the next snapshot stores again" in lost.err
    program.good("snapshot", tmp_path / "source")
    program("verify")
    assert program("verify").code == 0
