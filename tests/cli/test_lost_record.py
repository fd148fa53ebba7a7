"""A snapshot of which no copy of the record can be read: everybody is told which one, and the others stay readable."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.model.record import Snapshot
from icc_store.opening import create_repository, open_repository
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import fill, on_disk, snap
from tests.support.program import Done, Program


class Place:
    """A repository of three snapshots, `a` is 0, 1 and 2 in them, of which one is lost."""

    def __init__(self, top: Path, lost: str) -> None:
        self.top, self.notes = top, top / "notes"
        create_repository(top / "r")
        with open_repository(top / "r") as repository:
            made: dict[str, Snapshot] = {}
            for number, name in enumerate(("first", "second", "third")):
                fill(self.notes, {"a": b"%d" % number})
                made[name] = snap(repository, self.notes, name=name, source="notes")
            self.lost = made[lost].id.hex()
            damage.damage_block(repository, damage.block_of(repository, made[lost].id))
            key, data = damage.copies_of(repository)[list(made).index(lost)]
            damage.change(repository, lambda txn: txn.put(Table.COPIES, key, data[:-1] + bytes((data[-1] ^ 1,))))
        self.program = Program(top / "r")

    def told(self, *arguments: str | Path) -> Done:
        """Run a command. It must name what is lost and what helps, and end with the exit code of damage."""
        done = self.program(*arguments)
        assert done.code == 6, (arguments, done)
        assert self.lost[:12] in done.out + done.err, done
        assert "`icc-store repair`" in done.err + done.out, done
        return done

    def restored(self, *arguments: str) -> dict[str, bytes]:
        """What a restore brings back, which tells of the damage as well."""
        self.told("restore", *arguments, "--target", self.top / "back")
        return on_disk(self.top / "back")


@pytest.fixture(params=["first", "second", "third"])
def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """Each of the three lost in turn."""
    return Place(tmp_path, request.param)


def test_the_others_can_be_read(anywhere: Place) -> None:
    """They are listed and restored by name, with a warning; what is lost is not taken for one that never was."""
    names = ("first", "second", "third")
    listed = anywhere.told("list").out
    whole = [name for name in names if name in listed]
    assert len(whole) == 2
    for name in whole:
        assert anywhere.told("cat", name, "a").out == str(names.index(name))
    assert anywhere.restored(whole[0]) == {"a": b"%d" % names.index(whole[0])}
    assert anywhere.lost[:12] in anywhere.told("show", anywhere.lost).err
    anywhere.told("verify")
    anywhere.program.good("verify", "--snapshot", whole[0])


def test_nothing_older_is_taken_for_the_newest(tmp_path: Path) -> None:
    """Where the newest is lost, `latest` and times are refused, and no directory is made."""
    place = Place(tmp_path, "third")
    for which in ("latest", "latest~1", "2030-01-01"):
        done = place.told("restore", which, "--target", tmp_path / "back")
        assert "by its name or id" in done.err
        assert not (tmp_path / "back").exists()


def test_the_newest_is_the_newest_after_an_older_one_was_lost(tmp_path: Path) -> None:
    """What is older than the one that is meant does not count."""
    assert Place(tmp_path, "second").restored("latest") == {"a": b"2"}


def test_snapshots_go_on(anywhere: Place) -> None:
    """The next one is taken, tells of the damage, and can be restored."""
    fill(anywhere.notes, {"a": b"new", "b": b"more"})
    anywhere.told("snapshot", anywhere.notes, "--source", "notes", "--name", "fourth")
    assert anywhere.restored("latest") == {"a": b"new", "b": b"more"}


@pytest.mark.parametrize("command", [("gc", "--now"), ("forget", "third", "--purge"), ("pin", "third")])
def test_what_decides_over_all_of_them_waits(tmp_path: Path, command: tuple[str, ...]) -> None:
    """gc would remove what the lost one needs, as long as it may come back: that and the like is refused."""
    place = Place(tmp_path, "first")
    place.told(*command)
    assert "third" in place.told("list").out


def test_repair_helps(anywhere: Place) -> None:
    """After it the others are listed and restored, and everything works again."""
    assert anywhere.program("repair").code == 6
    assert anywhere.program.good("list").out.count("\n") >= 2
    anywhere.program.good("restore", "latest", "--target", anywhere.top / "back")
    anywhere.program.good("verify")
    anywhere.program.good("gc", "--now")


def test_a_memory_is_restored_over_what_is_there(tmp_path: Path) -> None:
    """What takes a safety copy first goes on as well, and what was there can be had back."""
    place = Place(tmp_path, "first")
    fill(place.notes, {"a": b"spoilt"})
    place.told("restore", "second", "--target", place.notes, "--safety", "--yes")
    assert on_disk(place.notes) == {"a": b"1"}
    assert "before-restore-" in place.told("list").out


def test_what_is_due_is_done_as_far_as_it_can_be(tmp_path: Path) -> None:
    """The snapshot of the night is taken, and each chore that cannot be is told."""
    place = Place(tmp_path, "second")
    fill(place.notes, {"a": b"tonight"})
    done = place.told("run-due", place.notes)
    assert f"snapshot {place.notes}: done" in done.out
    assert "gc: due" in done.out
    assert "FAILED" in done.out
    newest = place.told("list").out.splitlines()[-1].split()[0]
    assert place.restored(newest) == {"a": b"tonight"}
