"""Restoring when something is wrong: with the repository, with the target, with single files."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from icc_store.errors import DiskFull, TargetError
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.model.entry import Entry
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_repository
from icc_store.operations.restore import execute, restore
from icc_store.operations.restore_check import check_restored
from icc_store.operations.restore_plan import Overwrite, RestoreOptions
from icc_store.operations.restore_planner import plan_restore
from tests.fs.roles import IS_ROOT, as_ordinary_user
from tests.support.compare import assert_same
from tests.support.forged import Forge, wire
from tests.support.live import fill, on_disk, put, snap
from tests.support.ordinary import open_place, ordinarily
from tests.support.restoring import FILES, back


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


def entry_of(repository: Repository, snapshot: Snapshot, path: bytes) -> Entry:
    return lookup(repository.objects, snapshot.record, path).entry


def lose(repository: Repository, identity: ObjectId | None) -> None:
    """Take an object out of the index, as if it were gone."""
    assert identity is not None
    with repository.store.write() as txn:
        rows = [row for row in txn.rows() if row.startswith(identity[:KEY_SIZE])]
        assert rows
        txn.delete_rows(rows)
    repository.objects.forget()


# ---------------------------------------------------------------- the repository


def test_a_missing_chunk_costs_one_file(repository: Repository, source: Path, target: Path) -> None:
    """A file whose contents are gone is listed as damage, nothing is left under its name, and all others are there."""
    snapshot = snap(repository, source)
    lose(repository, entry_of(repository, snapshot, b"d/b").chunk)
    result = restore(repository, snapshot, options=RestoreOptions(target))
    assert [(failure.path, failure.damage) for failure in result.failures] == [(b"d/b", True)]
    assert result.damaged
    assert on_disk(target) == {name: data for name, data in FILES.items() if name != "d/b"}


def test_a_missing_list_costs_one_file(repository: Repository, source: Path, target: Path) -> None:
    """So does a content list; an old file of that name stays as it is."""
    snapshot = snap(repository, source)
    lose(repository, entry_of(repository, snapshot, b"large").content_list)
    fill(target, {"large": b"what was there"})
    result = restore(repository, snapshot, options=RestoreOptions(target))
    assert [(failure.path, failure.damage) for failure in result.failures] == [(b"large", True)]
    assert on_disk(target) == FILES | {"large": b"what was there"}


def test_a_missing_tree_costs_one_directory(repository: Repository, source: Path, target: Path) -> None:
    """Where a directory cannot be read nothing is removed, since nobody knows what belongs there."""
    snapshot = snap(repository, source)
    lose(repository, entry_of(repository, snapshot, b"d").subtree)
    fill(target, {"d/b": b"old", "d/new": b"new", "extra": b""})
    result = restore(repository, snapshot, options=RestoreOptions(target, delete=True))
    assert [(failure.path, failure.damage) for failure in result.failures] == [(b"d", True)]
    assert on_disk(target) == {"a": FILES["a"], "large": FILES["large"], "d/b": b"old", "d/new": b"new"}


def test_a_missing_root_restores_and_removes_nothing(repository: Repository, source: Path, target: Path) -> None:
    """Even the root may be what is gone."""
    snapshot = snap(repository, source)
    lose(repository, snapshot.record.root)
    fill(target, {"mine": b""})
    result = restore(repository, snapshot, options=RestoreOptions(target, delete=True))
    assert [(failure.path, failure.damage) for failure in result.failures] == [(b"", True)]
    assert on_disk(target) == {"mine": b""}


def test_nothing_is_linked_to_a_file_that_failed(repository: Repository, source: Path, target: Path) -> None:
    """When the first of several names cannot be restored, the others are not linked to what stands under it."""
    os.link(source / "a", source / "a2")
    snapshot = snap(repository, source)
    fill(target, {"a/in the way": b"", "a2": b"old"})
    result = restore(repository, snapshot, options=RestoreOptions(target))
    assert [failure.path for failure in result.failures] == [b"a"]
    assert (target / "a2").read_bytes() == FILES["a"]


# ---------------------------------------------------------------- the target


@pytest.mark.skipif(not IS_ROOT, reason="only root may mount the small disk this needs")
def test_a_full_disk(repository: Repository, source: Path, tmp_path: Path) -> None:
    """A full disk ends the restore; what is there is told, and whole; with more room it goes on from there."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine lets nobody mount a disk")
    try:
        snapshot = snap(repository, source)
        with pytest.raises(DiskFull, match=r"is full .5 of 6 entries are restored, each whole"):
            restore(repository, snapshot, options=RestoreOptions(small))
        assert on_disk(small) == {name: data for name, data in FILES.items() if name != "large"}
        subprocess.run(["mount", "-o", "remount,size=16m", small], check=True)
        back(repository, snapshot, small)
        assert_same(source, small)
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        with pytest.raises(TargetError, match="cannot be written to"):
            restore(repository, snapshot, options=RestoreOptions(small, overwrite=Overwrite.ALWAYS))
    finally:
        subprocess.run(["umount", small], check=True)


def restore_where_nothing_may_be_written(place: Path) -> None:
    here = place.absolute()
    fill(here / "source", FILES)
    create_repository(here / "repository")
    with open_repository(here / "repository") as repository:
        snapshot = snap(repository, here / "source")
        with pytest.raises(TargetError, match="cannot be written to"):
            restore(repository, snapshot, options=RestoreOptions(here.parent))
        fill(here / "target", {"d/b": b"old"})
        (here / "target/d").rename(here / "target/was d")
        (here / "target/d").symlink_to("/proc/self")
        result = restore(repository, snapshot, options=RestoreOptions(here / "target"))
        assert result.failures == ()
        assert on_disk(here / "target") == FILES | {"was d/b": b"old"}


def test_a_target_that_cannot_be_written_to() -> None:
    """An ordinary user is told at once, and a link out of the target to a place that is not theirs is replaced."""
    ordinarily(restore_where_nothing_may_be_written)


def restore_what_belongs_to_others(place: Path) -> None:
    here = place.absolute()
    (here / "source").mkdir()
    fill(here / "source", FILES | {"closed/x": b"x", "open/y": b"y"})
    create_repository(here / "repository")
    with open_repository(here / "repository") as repository:
        snapshot = snap(repository, here / "source")
        for own in (0o000, 0o300, 0o500):
            back(repository, snapshot, here / "target")
            put(here / "target/closed/x", b"changed")
            (here / "target/closed").chmod(own)
            back(repository, snapshot, here / "target")
            assert_same(here / "source", here / "target")


def test_directories_of_ones_own_are_opened() -> None:
    """A directory of the user's own that even its owner may not read, enter or write is restored like any other."""
    ordinarily(restore_what_belongs_to_others)


def restore_owners(place: Path) -> None:
    here = place.absolute()
    with open_repository(here.parent / "repository") as repository:
        snapshot = repository.snapshots()[-1]
        first = restore(repository, snapshot, options=RestoreOptions(here / "target"))
        assert first.failures == ()
        assert first.skipped.ownership == 3
        again = restore(repository, snapshot, options=RestoreOptions(here / "target"))
        assert sum(again.counts.values()) == again.counts[1]


@pytest.mark.skipif(not IS_ROOT, reason="only root may make files of other owners")
def test_owners_are_skipped_and_counted_without_root() -> None:
    """An ordinary user gets everything but the owners, which is no failure; a second restore finds nothing to do."""
    with open_place() as place:
        source = place / "source"
        fill(source, {"mine": b"1", "somebody's": b"2"})
        for name in ("", "mine", "somebody's"):
            os.chown(source / name, 1234, 4321)
        (source / "mine").chmod(0o4755)
        create_repository(place / "repository")
        with open_repository(place / "repository") as repository:
            snap(repository, source)
        subprocess.run(["chmod", "-R", "a+rwX", place / "repository"], check=True)
        as_ordinary_user(restore_owners, place)
        assert (place / "own/target/mine").stat().st_mode & 0o7777 == 0o755


# ---------------------------------------------------------------- reading back


def test_reading_back_finds_what_is_wrong(repository: Repository, source: Path, target: Path) -> None:
    """Every file, link and directory is looked at again after the restore, and what differs is told."""
    (source / "link").symlink_to("a")
    (source / "two").write_bytes(b"2")
    snapshot = snap(repository, source)
    plan = plan_restore(repository, snapshot, options=RestoreOptions(target))
    assert execute(repository, plan).failures == ()
    assert check_restored(repository, plan, ()) == (6, [])
    put(target / "a", b"X\n")
    (target / "link").unlink()
    (target / "link").symlink_to("b")
    (target / "two").unlink()
    with (target / "large").open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"X")
    (target / "d/e").rename(target / "d/f")
    checked, wrong = check_restored(repository, plan, ())
    assert checked == 1
    assert sorted(failure.path for failure in wrong) == [b"a", b"d/e", b"large", b"link", b"two"]


def test_reading_back_covers_what_was_kept(repository: Repository, source: Path, target: Path) -> None:
    """With `verify`, a file that was taken for equal by size and time is read as well."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    put(target / "a", b"X\n")
    result = restore(repository, snapshot, options=RestoreOptions(target, verify=True))
    assert [failure.path for failure in result.failures] == [b"a"]
    assert result.checked == len(FILES) - 1
    assert not result.damaged


@pytest.mark.parametrize("said", [3, 9, 1 << 40, (1 << 63) - 1])
def test_reading_back_believes_no_length(repository: Repository, target: Path, said: int) -> None:
    """An entry that an enemy wrote is not what came back, and takes no memory for what it says."""
    forge = Forge(repository)
    chunk = forge.put(Kind.CHUNK, b"12345")
    forge.snapshot(forge.tree(wire(b"long", key5=said, key7=chunk), wire(b"right", key5=5, key7=chunk)))
    options = RestoreOptions(target, read_back=True)
    result = restore(repository, repository.snapshots()[0], options=options)
    wrong = [(failure.path, failure.message) for failure in result.failures]
    assert wrong == [(b"long", "what was read back is not what the snapshot holds")]
    assert result.checked == 1
    assert (target / "right").read_bytes() == b"12345"
