"""Parity: when it is made, what it covers, what it must never bring back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DamageError, UsageError
from icc_store.model.header import read_header
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.opening import create_copy, create_repository, open_for_repair, open_repository
from icc_store.operations import parity_renewal
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget
from icc_store.operations.parity import ParityStatus, renew, status, turn_off, turn_on
from icc_store.operations.repair import RepairResult, rebuild
from icc_store.operations.verify import VerifyOptions, verify
from tests.support import damage
from tests.support.live import Contents, clean, contents, fill, snap
from tests.support.mending import zero_pages
from tests.support.shelf import noise, words

FILES: Contents = {f"{number:03}": words(number, 4000) for number in range(40)} | {"large": noise(1, 500_000)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A new repository with parity."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository", exclusive=True) as repository:
        turn_on(repository, 50)
    with open_repository(tmp_path / "repository") as repository:
        renew(repository)
    return tmp_path / "repository"


def backed_up(path: Path, files: Contents, clock: FixedClock) -> Snapshot:
    """A snapshot of these files."""
    clock.sleep(60)
    with open_repository(path, clock=clock) as repository:
        fill(path.parent / "source", files)
        return snap(repository, path.parent / "source")


def status_of(path: Path) -> ParityStatus:
    """What parity there is now."""
    with open_repository(path, readonly=True) as repository:
        return status(repository)


def repaired(path: Path) -> RepairResult:
    """Repair, in place."""
    with open_for_repair(path) as repairing:
        rescued = repairing.rescued
        result = rebuild(
            repairing.repository, rescued.listed_snapshots, rescued.listed_annotations, damaged=repairing.path
        )
        repairing.take_place()
    return result


def assert_whole(path: Path, snapshot: Snapshot, files: Contents) -> None:
    """The snapshot can be read, and nothing is wrong with the repository."""
    with open_repository(path, readonly=True) as repository:
        assert not verify(repository, options=VerifyOptions(mend=False)).findings
        assert contents(repository, snapshot) == files


def assert_verified(path: Path) -> None:
    """Nothing is wrong, parity included."""
    with open_repository(path, readonly=True) as repository:
        assert not verify(repository, options=VerifyOptions(mend=False)).findings


def damage_all_blocks(repository: Repository) -> None:
    """Change a bit of every block."""
    for number in damage.block_numbers(repository):
        damage.damage_block(repository, number)


def largest_block(repository: Repository) -> int:
    """A block of content, and not of what a new snapshot reads."""
    return max(damage.block_numbers(repository), key=lambda number: len(damage.stored_block(repository, number)))


def test_new_blocks_are_kept_twice_without_making_sums(path: Path, clock: FixedClock) -> None:
    """A small snapshot changes no group; all its blocks come back even when every one of them is damaged."""
    small = {name: data for name, data in FILES.items() if name != "large"}
    snapshot = backed_up(path, small, clock)
    before = status_of(path)
    assert (before.groups, before.covered, before.uncovered) == (0, 0, 0)
    assert before.copied > 0
    with open_repository(path) as repository:
        damage_all_blocks(repository)
    assert len(repaired(path).parity.rebuilt) == before.copied
    assert_whole(path, snapshot, small)


def test_sums_are_made_when_second_copies_take_too_much(path: Path, clock: FixedClock) -> None:
    """A run that adds more than there is room for ends with all of it in sums, and nothing kept twice."""
    backed_up(path, {"large": noise(2, 3_000_000)}, clock)
    found = status_of(path)
    assert (found.groups, found.copied, found.uncovered) == (1, 0, 0)
    assert found.whole
    assert found.size < 1_000_000


def test_a_group_grows_with_the_repository(path: Path, clock: FixedClock) -> None:
    """Sums are made anew over old and new blocks together, in one file."""
    files = {}
    for number in range(3):
        files[f"large {number}"] = noise(number, 1_500_000)
        snapshot = backed_up(path, files, clock)
    found = status_of(path)
    assert (found.groups, found.uncovered) == (1, 0)
    with open_repository(path) as repository:
        damage.damage_block(repository, damage.block_numbers(repository)[0])
        damage.damage_block(repository, damage.block_numbers(repository)[-1])
    repaired(path)
    assert_whole(path, snapshot, files)


def test_a_large_repository_has_several_groups(path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full group is left as it is when others follow; damage in each of them is repaired."""
    monkeypatch.setattr(parity_renewal, "MAX_GROUP_SUMS", 32)  # 640 cells, in place of gigabytes
    files: dict[str, bytes] = {}
    seen: dict[str, bytes] = {}
    for number in range(4):
        files[f"large {number}"] = noise(number, 1_600_000)
        snapshot = backed_up(path, files, clock)
        groups = {file.name: file.read_bytes() for file in sorted((path / "parity").glob("*.parity"))}
        assert list(groups)[: max(0, len(seen) - 1)] == list(seen)[:-1]
        assert all(groups[name] == seen[name] for name in list(seen)[:-1])
        seen = groups
    found = status_of(path)
    assert found.groups >= 3
    assert found.whole
    with open_repository(path) as repository:
        for block in damage.block_numbers(repository)[::10]:
            damage.damage_block(repository, block)
    assert not repaired(path).parity.lost
    assert_whole(path, snapshot, files)


def test_what_was_removed_does_not_come_back(path: Path, clock: FixedClock) -> None:
    """Snapshots that gc removed stay removed after a repair, whether sums or second copies know their blocks."""
    gone = backed_up(path, FILES | {"old": noise(7, 30_000)}, clock)
    with open_repository(path) as repository:
        renew(repository)
    gone_too = backed_up(path, FILES | {"old": noise(8, 30_000)}, clock)
    kept = backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        forget(repository, [gone.id, gone_too.id])
        clean(repository)
        damage.damage_block(repository, damage.block_of(repository, kept.record.root))
    result = repaired(path)
    assert result.parity.rebuilt
    assert_whole(path, kept, FILES)
    with open_repository(path, readonly=True) as repository:
        assert [one.id for one in repository.snapshots(forgotten=True)] == [kept.id]


def test_sums_are_made_anew_when_much_was_removed(path: Path, clock: FixedClock) -> None:
    """Blocks that are gone do not use up for long what could bring others back."""
    gone = backed_up(path, {"large": noise(3, 3_000_000)}, clock)
    backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
        forget(repository, [gone.id])
        clean(repository)
    found = status_of(path)
    assert (found.removed, found.uncovered) == (0, 0)
    assert found.whole


def test_small_blocks_that_were_removed_count_for_what_they_share(path: Path, clock: FixedClock) -> None:
    """The share holds after the removal of few bytes in many places too: each leaves a hole in what is summed up."""
    states = [{f"{number}": words(number, 300)} for number in range(90)]
    taken = [backed_up(path, state, clock) for state in states]
    with open_repository(path) as repository:
        renew(repository)
    kept = {one.id: state for one, state in zip(taken[::2], states[::2], strict=True)}
    with open_repository(path, clock=clock) as repository:
        forget(repository, [one.id for one in taken[1::2]], options=ForgetOptions(purge=True))
        clean(repository)
    found = status_of(path)
    assert found.removed < found.sums / 4
    zero_pages(path / "data.mdb", 0.05, random.Random(1))
    assert repaired(path).parity.lost == ()
    with open_repository(path, clock=clock, readonly=True) as repository:
        assert {one.id: contents(repository, one) for one in repository.snapshots()} == kept


def test_sums_that_could_help_are_not_replaced(path: Path, clock: FixedClock) -> None:
    """Over a damaged block parity is not made anew, whatever is asked for; repair still brings it back."""
    snapshot = backed_up(path, FILES, clock)
    with open_repository(path) as repository:
        renew(repository)
        damage.damage_block(repository, largest_block(repository))
        for everything in (False, True):
            with pytest.raises(DamageError, match="kept as it is"):
                renew(repository, permille=100, everything=everything)
    repaired(path)
    with open_repository(path, readonly=True) as repository:
        assert contents(repository, snapshot) == FILES


def test_after_a_repair_that_lost_something_parity_is_made_of_the_rest(path: Path, clock: FixedClock) -> None:
    """What nobody can bring back does not keep everything else from being covered."""
    backed_up(path, FILES, clock)
    with open_repository(path) as repository:
        renew(repository)
        damage_all_blocks(repository)
    for file in (path / "parity").glob("*.parity"):
        file.write_bytes(b"")
    assert repaired(path).parity.unreadable
    with open_repository(path) as repository:
        renew(repository, after_repair=True)
        assert status(repository).groups <= 1
        assert not status(repository).unreadable


def test_blocks_that_were_not_noted_are_covered_by_the_next_run(path: Path, clock: FixedClock) -> None:
    """A process that died after its commit, before it noted its blocks, leaves parity behind for one run only."""
    with open_repository(path, clock=clock) as repository:
        repository.store.newest = None  # type: ignore[misc]  # as if it had died each time
        fill(path.parent / "source", FILES)
        snap(repository, path.parent / "source")
    assert status_of(path).uncovered > 0
    with open_repository(path, clock=clock):
        pass
    assert status_of(path).uncovered == 0


def test_second_copies_that_were_not_made_are_made_without_new_sums(path: Path, clock: FixedClock) -> None:
    """What a dead process left out is little, as a rule: it is kept twice then, and no group is made for it."""
    with open_repository(path, clock=clock) as repository:
        repository.store.newest = None  # type: ignore[misc]  # as if it had died each time
        fill(path.parent / "source", {"one": b"little"})
        snap(repository, path.parent / "source")
    with open_repository(path, clock=clock):
        pass
    found = status_of(path)
    assert (found.groups, found.uncovered) == (0, 0)
    assert found.copied


def test_what_parity_does_not_know_yet_comes_back_where_it_is_whole(path: Path, clock: FixedClock) -> None:
    """A process died after its commit, and then the first pages rotted: its blocks are found by the leaves."""
    backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
        repository.store.newest = None  # type: ignore[misc]  # as if it had died
        fill(path.parent / "source", FILES | {"one more": noise(5, 50_000)})
        snapshot = snap(repository, path.parent / "source")
        newest = (path / "parity" / "newest").read_bytes()
    (path / "parity" / "newest").write_bytes(newest)  # without what was made up for when it was closed
    data = (path / "data.mdb").read_bytes()
    (path / "data.mdb").write_bytes(bytes(2 * 4096) + data[2 * 4096 :])
    repaired(path)
    assert_whole(path, snapshot, FILES | {"one more": noise(5, 50_000)})


def test_removals_that_were_not_noted_are_found_out(path: Path, clock: FixedClock) -> None:
    """After a process died between a removal and its note, the next run sees what is gone, and it stays gone."""
    gone = backed_up(path, FILES, clock)
    kept = backed_up(path, {"small": b"kept"}, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
        forget(repository, [gone.id])
        newest = (path / "parity" / "newest").read_bytes()
        clean(repository)
        (path / "parity" / "newest").write_bytes(newest)  # as it was before the removal
    assert status_of(path).removed == 0  # the group was made anew, since nearly all of it was removed
    with open_repository(path, clock=clock) as repository:
        assert [one.id for one in repository.snapshots(forgotten=True)] == [kept.id]
        damage_all_blocks(repository)
    repaired(path)
    with open_repository(path, readonly=True) as repository:
        assert [one.id for one in repository.snapshots(forgotten=True)] == [kept.id]
        assert contents(repository, kept) == {"small": b"kept"}


@pytest.mark.parametrize("name", ["newest", "0000000001.parity"])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.999])
def test_damaged_parity_is_found_and_made_anew(path: Path, clock: FixedClock, name: str, at: float) -> None:
    """Verify tells of it, the next run that writes makes it anew, and all is well again."""
    backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
    backed_up(path, FILES | {"one more": b"kept twice"}, clock)
    file = path / "parity" / name
    data = bytearray(file.read_bytes())
    begin = min(int(at * len(data)), len(data) - 1)
    data[begin] ^= 1
    file.write_bytes(data)
    with open_repository(path, readonly=True) as repository:
        found = verify(repository).findings
    assert [one.what for one in found if one.what.startswith("parity: ")]
    with open_repository(path) as repository:
        verify(repository)
    assert_verified(path)
    assert status_of(path).whole


def test_a_lost_group_is_found_and_made_anew(path: Path, clock: FixedClock) -> None:
    """A file that is gone altogether is told by the blocks that it should cover."""
    backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
    (path / "parity" / "0000000001.parity").unlink()
    with open_repository(path) as repository:
        (found,) = verify(repository).findings
    assert "that it should cover are not in it" in found.what
    assert_verified(path)
    assert status_of(path).groups == 1


def test_sums_that_could_help_outlast_damage_in_other_parity(path: Path, clock: FixedClock) -> None:
    """Parity that is damaged is not made anew over a damaged block: what is left of it may bring that back."""
    snapshot = backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
        damage.damage_block(repository, largest_block(repository))
        file = path / "parity" / "0000000001.parity"
        before = bytearray(file.read_bytes())
        before[-5000] ^= 1
        file.write_bytes(before)
        verify(repository)
    assert file.read_bytes() == before
    repaired(path)
    with open_repository(path, readonly=True) as repository:
        assert contents(repository, snapshot) == FILES


def test_groups_of_a_change_that_was_cut_short_bring_back_all(
    path: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether one or two of several new groups have their names already, every block is in some group."""
    monkeypatch.setattr(parity_renewal, "MAX_GROUP_SUMS", 32)
    snapshot = backed_up(path, {"large": noise(1, 6_000_000)}, clock)
    old = {file: file.read_bytes() for file in (path / "parity").iterdir()}
    with open_repository(path) as repository:
        renew(repository, permille=100, everything=True)
    new = {file: file.read_bytes() for file in (path / "parity").glob("*.parity")}
    assert len(new) > len(old) - 2
    for file in (path / "parity").iterdir():
        file.unlink()
    for count, file in enumerate(sorted(new, reverse=True)):
        for name, data in {**old, **dict(sorted(new.items(), reverse=True)[: count + 1])}.items():
            name.write_bytes(data)
        assert status_of(path).uncovered == 0, file
    with open_repository(path) as repository:
        for block in damage.block_numbers(repository)[::9]:
            damage.damage_block(repository, block)
    assert not repaired(path).parity.lost
    assert_whole(path, snapshot, {"large": noise(1, 6_000_000)})


def test_parity_of_an_earlier_time_is_not_used(path: Path, clock: FixedClock) -> None:
    """What was left when parity was turned off and that was cut short is gone when it is turned on again."""
    backed_up(path, FILES, clock)
    with open_repository(path, clock=clock) as repository:
        renew(repository)
    left = {file: file.read_bytes() for file in (path / "parity").iterdir()}
    with open_repository(path, exclusive=True) as repository:
        turn_off(repository)
    (path / "parity").mkdir()
    for file, data in left.items():
        file.write_bytes(data)
    with open_repository(path, exclusive=True) as repository:
        turn_on(repository, 50)
    assert not list((path / "parity").glob("*.parity"))


def test_parity_can_be_turned_on_later_changed_and_turned_off(tmp_path: Path, clock: FixedClock) -> None:
    """With files and header; a share that cannot be had is refused."""
    path = tmp_path / "repository"
    create_repository(path)
    backed_up(path, FILES, clock)
    with open_repository(path, exclusive=True) as repository:
        with pytest.raises(UsageError):
            status(repository)
        with pytest.raises(UsageError):
            turn_on(repository, 501)
        turn_on(repository, 50)
    with open_repository(path) as repository:
        renew(repository)
        assert status(repository).permille == 50
        renew(repository, permille=200, everything=True)
        assert status(repository).permille == 200
    assert read_header(path).features.read_only == ("parity",)
    with open_repository(path, exclusive=True) as repository:
        turn_off(repository)
    assert read_header(path).features.read_only == ()
    assert not (path / "parity").exists()


def test_a_copy_has_no_parity_of_its_own(path: Path, tmp_path: Path, clock: FixedClock) -> None:
    """Parity belongs to one instance: a copy is made without it."""
    backed_up(path, FILES, clock)
    create_copy(tmp_path / "copy", read_header(path))
    with open_repository(path) as source, open_repository(tmp_path / "copy") as target:
        copy_repository(source, target)
    assert not read_header(tmp_path / "copy").has_parity
    assert not (tmp_path / "copy" / "parity").exists()


def test_a_header_that_names_unknown_features_keeps_them(path: Path) -> None:
    """Turning parity on or off leaves other features alone."""
    header = read_header(path)
    assert header.with_parity(wanted=True) == header
    assert header.with_parity(wanted=False).with_parity(wanted=True) == header
