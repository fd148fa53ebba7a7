"""Restoring into places where something is already: what is written, what is kept, what goes, what never goes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import PathNotInSnapshot, TargetError, UsageError
from icc_store.model.repository import Repository
from icc_store.operations.restore import execute
from icc_store.operations.restore_plan import Overwrite, RestoreOptions, Times
from icc_store.operations.restore_planner import plan_restore
from icc_store.operations.restore_steps import planned_steps
from tests.support.compare import assert_same, facts
from tests.support.live import NOW, OLD, fill, on_disk, put, snap
from tests.support.restoring import FILES, back, done


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "target"


# ---------------------------------------------------------------- what is written


def test_only_what_differs_is_written(repository: Repository, source: Path, target: Path) -> None:
    """Files of the same size and time keep their inodes; others are replaced, missing ones made."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    kept = (target / "d/b").stat().st_ino
    put(target / "a", b"changed")
    (target / "d/e/c").unlink()
    result = back(repository, snapshot, target)
    assert done(result) == {"MAKE": 1, "REPLACE": 1, "UPDATE": 1}  # the directory that lost a file
    assert (target / "d/b").stat().st_ino == kept
    assert_same(source, target)


def test_another_time_alone_rewrites_nothing(repository: Repository, source: Path, target: Path) -> None:
    """A file with the right contents and another time is given the time, and keeps its inode."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    inodes = [(target / name).stat().st_ino for name in FILES]
    for name in FILES:
        os.utime(target / name)
    assert done(back(repository, snapshot, target)) == {"UPDATE": len(FILES)}
    assert [(target / name).stat().st_ino for name in FILES] == inodes
    assert_same(source, target)


def test_metadata_alone_is_set(repository: Repository, source: Path, target: Path) -> None:
    """Another mode or attribute is put right without writing the file."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    (target / "a").chmod(0o600)
    (target / "d").chmod(0o700)
    os.setxattr(target / "d/b", "user.x", b"1")
    assert done(back(repository, snapshot, target)) == {"UPDATE": 3}
    assert_same(source, target)


def test_changed_trusts_size_and_time_and_always_does_not(repository: Repository, source: Path, target: Path) -> None:
    """Contents that differ under the same size and time stay with `changed`, and go with `always`."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    put(target / "a", b"X\n")
    assert done(back(repository, snapshot, target)) == {}
    assert (target / "a").read_bytes() == b"X\n"
    assert done(back(repository, snapshot, target, overwrite=Overwrite.ALWAYS)) == {"REPLACE": len(FILES)}
    assert_same(source, target)


def test_contents_count_when_that_is_asked_for(repository: Repository, source: Path, target: Path) -> None:
    """With `compare` a file of the same size and time, but other bytes, is written; what is equal keeps its inode."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    kept = (target / "d/b").stat().st_ino
    put(target / "a", b"X\n")
    assert done(back(repository, snapshot, target, compare=True)) == {"REPLACE": 1}
    assert (target / "d/b").stat().st_ino == kept
    assert_same(source, target)


def test_files_can_get_the_time_of_the_restore(repository: Repository, source: Path, target: Path) -> None:
    """With the time `now` written files are new to who looks at times, and what is right already stays as it is."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    os.utime(target / "d/b", ns=(5, 5))
    put(target / "a", b"changed")
    before = (target / "d").stat().st_mtime_ns
    plan = plan_restore(repository, snapshot, options=RestoreOptions(target, times=Times.NOW))
    assert done(execute(repository, plan, clock=FixedClock(NOW))) == {"REPLACE": 1}
    assert (target / "a").read_bytes() == FILES["a"]
    times = {name: (target / name).stat().st_mtime_ns for name in ("a", "d/b", "d", "large")}
    assert times == {"a": NOW, "d/b": 5, "d": before, "large": OLD}


def test_never_keeps_what_is_there_and_says_so(repository: Repository, source: Path, target: Path) -> None:
    """With `never` only what is missing is made; what is there stays in every respect and is counted."""
    snapshot = snap(repository, source)
    fill(target, {"a": b"mine", "d/b": b"b\n" * 100, "d/e": b"a file where a directory was"}, mtime_ns=None)
    (target / "d").chmod(0o711)
    before = facts(target)
    result = back(repository, snapshot, target, overwrite=Overwrite.NEVER)
    assert done(result) == {"LEAVE": 3, "MAKE": 1}
    after = facts(target)
    assert {path: after[path] for path in before if path} == {path: before[path] for path in before if path}
    assert on_disk(target)["large"] == FILES["large"]


def test_things_of_another_type_are_replaced(repository: Repository, tmp_path: Path, target: Path) -> None:
    """A file in the place of a directory, a link in the place of a file and so on give way."""
    source = tmp_path / "source"
    fill(source, {"file": b"f", "link": b"", "dir/x": b"x", "fifo": b""})
    (source / "link").unlink()
    (source / "link").symlink_to("file")
    (source / "fifo").unlink()
    os.mkfifo(source / "fifo")
    snapshot = snap(repository, source)
    fill(target, {"fifo": b"f", "link": b"l", "dir": b"a file"})
    (target / "file").symlink_to("/etc/passwd")
    back(repository, snapshot, target)
    assert_same(source, target)
    assert Path("/etc/passwd").stat().st_size > 1


def test_no_link_is_followed(repository: Repository, source: Path, tmp_path: Path, target: Path) -> None:
    """A symbolic link in the place of a directory is replaced; what it points to stays untouched."""
    snapshot = snap(repository, source)
    fill(tmp_path / "elsewhere", {"b": b"precious"})
    target.mkdir()
    (target / "d").symlink_to(tmp_path / "elsewhere")
    back(repository, snapshot, target, delete=True)
    assert on_disk(tmp_path / "elsewhere") == {"b": b"precious"}
    assert_same(source, target)


# ---------------------------------------------------------------- hard links


def linked(source: Path) -> None:
    """One file under three names, another under two."""
    os.link(source / "a", source / "d/a2")
    os.link(source / "a", source / "z")
    os.link(source / "large", source / "d/e/large")


def test_hard_links_are_mended(repository: Repository, source: Path, target: Path) -> None:
    """Names that lost their link are linked again; names that were linked and should not be are parted."""
    linked(source)
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    assert_same(source, target)
    (target / "z").unlink()
    put(target / "z", b"a\n")
    (target / "d/b").unlink()
    os.link(target / "d/e/c", target / "d/b")
    back(repository, snapshot, target)
    assert_same(source, target)


def test_writing_one_name_leaves_links_outside_alone(
    repository: Repository, source: Path, target: Path, tmp_path: Path
) -> None:
    """A file of the target that has another name elsewhere is replaced, not written into, also for its metadata."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target)
    os.link(target / "a", tmp_path / "outside")
    os.link(target / "d/b", tmp_path / "outside too")
    put(target / "a", b"changed")
    (target / "d/b").chmod(0o600)
    back(repository, snapshot, target)
    assert (tmp_path / "outside").read_bytes() == b"changed"
    assert stat.S_IMODE((tmp_path / "outside too").stat().st_mode) == 0o600
    assert_same(source, target)


def test_two_equal_files_in_one_inode_are_parted(repository: Repository, tmp_path: Path, target: Path) -> None:
    """Where the snapshot has two files of the same contents and time, one inode under both names will not do."""
    source = tmp_path / "source"
    fill(source, {"one": b"same", "two": b"same"})
    snapshot = snap(repository, source)
    fill(target, {"one": b"same"})
    os.link(target / "one", target / "two")
    back(repository, snapshot, target)
    assert_same(source, target)


def test_part_of_a_group_is_restored_by_itself(repository: Repository, source: Path, target: Path) -> None:
    """Names whose first name was not asked for are written, and linked to each other."""
    linked(source)
    snapshot = snap(repository, source)
    chosen = (b"a", b"z")  # the first of the group is d/a2: directories are stored first
    back(repository, snapshot, target, paths=chosen)
    assert sorted(on_disk(target)) == ["a", "z"]
    assert (target / "a").stat().st_ino == (target / "z").stat().st_ino


# ---------------------------------------------------------------- parts, several sources, in place


def test_parts_stand_under_their_stored_paths(repository: Repository, source: Path, target: Path) -> None:
    """Chosen paths come with everything below and the directories above, and nothing else."""
    snapshot = snap(repository, source)
    back(repository, snapshot, target, paths=(b"d/e", b"a"))
    assert on_disk(target) == {"a": b"a\n", "d/e/c": b""}
    assert (target / "d").stat().st_mtime_ns == (source / "d").stat().st_mtime_ns
    with pytest.raises(PathNotInSnapshot, match="d/nothing"):
        back(repository, snapshot, target, paths=(b"d/nothing",))


def test_parts_leave_their_neighbours_alone(repository: Repository, source: Path, target: Path) -> None:
    """With --delete and a path, only below that path anything goes; directories above stay as they are."""
    snapshot = snap(repository, source)
    fill(target, {"extra": b"", "d/extra": b"", "d/e/extra": b""})
    (target / "d").chmod(0o711)
    result = back(repository, snapshot, target, paths=(b"d/e",), delete=True)
    assert result.removed == 1
    assert sorted(on_disk(target)) == ["d/e/c", "d/extra", "extra"]
    assert stat.S_IMODE((target / "d").stat().st_mode) == 0o711


def test_in_place(repository: Repository, source: Path) -> None:
    """Without a target, one directory comes back where it was."""
    before = facts(source)
    snapshot = snap(repository, source)
    put(source / "a", b"changed")
    (source / "large").unlink()
    (source / "new").write_bytes(b"")
    back(repository, snapshot, delete=True)
    assert facts(source) == before


def test_several_sources_in_place(repository: Repository, source: Path) -> None:
    """Several paths go back where they were; what stands beside them is nobody's business, even with --delete."""
    snapshot = snap(repository, source / "d", source / "a")
    (source / "a").unlink()
    (source / "d/b").write_bytes(b"changed")
    (source / "d/new").write_bytes(b"")
    (source / "beside").write_bytes(b"mine")
    (source).chmod(0o711)
    back(repository, snapshot, delete=True)
    assert on_disk(source) == FILES | {"beside": b"mine"}
    assert stat.S_IMODE(source.stat().st_mode) == 0o711


def test_one_file_in_place(repository: Repository, source: Path) -> None:
    """A single file goes back beside its neighbours, which stay."""
    snapshot = snap(repository, source / "a")
    (source / "a").write_bytes(b"changed")
    back(repository, snapshot, delete=True)
    assert on_disk(source) == FILES


def test_another_stored_path_has_no_place_of_its_own(repository: Repository, source: Path, target: Path) -> None:
    """A snapshot under --as-path needs a target, and mirrors only what it holds whole."""
    snapshot = snap(repository, source, as_path=b"x/y")
    with pytest.raises(UsageError, match="--target"):
        back(repository, snapshot)
    fill(target, {"extra": b"", "x/extra": b"", "x/y/extra": b""})
    assert back(repository, snapshot, target, delete=True).removed == 1
    assert sorted(on_disk(target)) == sorted(["extra", "x/extra", *(f"x/y/{name}" for name in FILES)])


# ---------------------------------------------------------------- plans


def test_a_plan_touches_nothing_and_tells_everything(repository: Repository, source: Path, target: Path) -> None:
    """Planning leaves the target as it is; the steps are what the restore then does."""
    linked(source)
    snapshot = snap(repository, source)
    fill(target, {"a": b"changed", "d/b": FILES["d/b"], "extra/1": b"11", "extra/2": b"22"})
    before = facts(target)
    plan = plan_restore(repository, snapshot, options=RestoreOptions(target, delete=True))
    steps = {(step.path, step.action and step.action.name) for step in planned_steps(repository, plan)}
    assert facts(target) == before
    assert steps == {
        (b"extra", None),
        (b"d/a2", "MAKE"),
        (b"d/e", "MAKE"),
        (b"d/e/c", "MAKE"),
        (b"d/e/large", "MAKE"),
        (b"a", "LINK"),
        (b"large", "LINK"),
        (b"z", "LINK"),
    } | {step for step in steps if step == (b"d", "UPDATE")}
    assert (plan.totals.removed_files, plan.totals.removed_size) == (2, 4)
    assert plan.totals.size == len(FILES["a"]) + len(FILES["large"])
    result = execute(repository, plan)
    assert result.counts == plan.totals.counts
    assert result.size == plan.totals.size
    assert_same(source, target)


def test_a_plan_for_a_missing_target_tells_everything(repository: Repository, source: Path, target: Path) -> None:
    """Where nothing is, every path is made, and hard links are told as such."""
    linked(source)
    plan = plan_restore(repository, snap(repository, source), options=RestoreOptions(target, paths=(b"d", b"z")))
    steps = [(step.path, step.action and step.action.name) for step in planned_steps(repository, plan)]
    assert steps[0] == (b"d", "MAKE")
    assert (b"z", "LINK") in steps
    assert b"a" not in [path for path, _ in steps]
    assert not target.exists()
    assert execute(repository, plan).failures == ()
    assert (target / "z").stat().st_nlink == 2


# ---------------------------------------------------------------- targets that cannot be


def test_targets_that_cannot_be(repository: Repository, source: Path, tmp_path: Path) -> None:
    """Inside the repository, under a link to it, a file: refused before anything is written."""
    snapshot = snap(repository, source)
    (tmp_path / "link").symlink_to(tmp_path / "repository")
    for target in (repository.path, repository.path / "new", tmp_path / "link", tmp_path / "link/writers"):
        with pytest.raises(TargetError, match="in the repository"):
            back(repository, snapshot, target)
    with pytest.raises(TargetError, match="not a directory"):
        back(repository, snapshot, source / "a")
    with pytest.raises(TargetError):
        back(repository, snapshot, source / "a" / "below")
    assert not (repository.path / "new").exists()
