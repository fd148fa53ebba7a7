"""The disk that loses its power: what a sync makes safe, and what may become of the rest."""

from __future__ import annotations

import random
from pathlib import Path

from tests.power.disk import Disk, Image, Kept, Lost, Torn
from tests.power.recording import Event, Recording, What

ROOT, FOLDER, FILE, OTHER = 1, 2, 3, 4
WHOLE = Recording((), Path("/disk"), ROOT)


def event(what: What, inode: int = 0, number: int = 0, path: str = "", other: str = "", data: bytes = b"") -> Event:
    """An event; paths are below the root."""
    return Event(what, inode, number, path and f"/disk/{path}", other and f"/disk/{other}", data)


def after(*events: Event) -> Disk:
    """A disk after these events."""
    disk = Disk(WHOLE)
    for each in events:
        disk.apply(each)
    return disk


def outcomes(disk: Disk, unit: int | None) -> list[Image]:
    """Many tries of what may be left."""
    chance = random.Random(1)
    return [disk.image(Torn(chance, unit)) for _ in range(200)]


NEW = event(What.OPEN, FILE, path="a")
NAMED = event(What.SYNC, ROOT)
SYNCED = event(What.SYNC, FILE)


def write(offset: int, data: bytes) -> Event:
    """A write to the file."""
    return event(What.WRITE, FILE, offset, data=data)


def test_a_name_needs_a_sync_of_its_directory() -> None:
    """A synced file without a synced name may be gone; with both it stays."""
    assert after(NEW, write(0, b"x"), SYNCED).image(Lost()) == {}
    assert after(NEW, write(0, b"x"), SYNCED, NAMED).image(Lost()) == {"a": b"x"}


def test_contents_need_a_sync_of_their_file() -> None:
    """A synced name says nothing of the contents."""
    disk = after(NEW, write(0, b"x"), NAMED)
    assert disk.image(Lost()) == {"a": b""}
    assert disk.image(Kept()) == {"a": b"x"}


def test_a_write_through_is_safe_by_itself() -> None:
    """A write to a descriptor with O_DSYNC is safe, and no write before it is."""
    through = event(What.SYNC_RANGE, FILE, 1, data=(1).to_bytes(8, "little"))
    disk = after(NEW, NAMED, write(0, b"old"), write(1, b"N"), through)
    assert disk.image(Lost()) == {"a": b"\0N"}
    assert {bytes(image["a"] or b"") for image in outcomes(disk, None)} == {b"\0N", b"\0N\0", b"oNd"}


def test_writes_are_torn_between_sectors_only() -> None:
    """Each sector is of some version, whole; the file may have grown to zeros."""
    disk = after(NEW, write(0, b"1" * 1024), SYNCED, NAMED, write(0, b"2" * 1024), write(0, b"3" * 1536))
    found = {bytes(image["a"] or b"") for image in outcomes(disk, 512)}
    sectors = {data[at : at + 512] for data in found for at in range(0, len(data), 512)}
    assert sectors == {digit * 512 for digit in (b"1", b"2", b"3", b"\0")}
    assert {data[:1] + data[512:513] for data in found} == {
        a + b for a in (b"1", b"2", b"3") for b in (b"1", b"2", b"3")
    }


def test_whole_writes_are_lost_one_by_one() -> None:
    """Between two syncs a later write may be kept and an earlier one lost."""
    disk = after(NEW, SYNCED, NAMED, write(0, b"1"), write(1, b"2"))
    assert {image["a"] for image in outcomes(disk, None)} == {b"", b"\0\0", b"1", b"1\0", b"\x002", b"12"}


def test_a_rename_happens_in_both_directories_at_once() -> None:
    """The file has the old name or the new one, never both and never none; a sync of the new directory decides it."""
    folder = [event(What.MKDIR, FOLDER, path="d"), event(What.OPEN, FILE, path="d/a"), event(What.SYNC, FOLDER), NAMED]
    rename = event(What.RENAME, FILE, path="d/a", other="b")
    disk = after(*folder, rename)
    assert {tuple(image) for image in outcomes(disk, None)} == {("b", "d"), ("d", "d/a")}
    assert set(after(*folder, rename, NAMED).image(Lost())) == {"b", "d"}


def test_names_change_in_any_order() -> None:
    """A later name may be there without an earlier one, unless a sync came between."""
    other = event(What.OPEN, OTHER, path="z")
    assert {tuple(image) for image in outcomes(after(NEW, other), None)} == {(), ("a",), ("z",), ("a", "z")}
    assert {tuple(image) for image in outcomes(after(NEW, NAMED, other), None)} == {("a",), ("a", "z")}


def test_an_inode_that_is_used_again_is_another_file() -> None:
    """A new file under an old inode holds nothing of the old one."""
    gone = [NEW, write(0, b"x"), SYNCED, NAMED, event(What.UNLINK, path="a"), event(What.OPEN, FILE, path="b")]
    assert after(*gone).image(Kept()) == {"b": b""}
