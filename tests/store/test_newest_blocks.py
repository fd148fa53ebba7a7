"""Second copies of the newest blocks."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.store.lmdb_store import LmdbStore
from icc_store.store.locks import FileLock
from icc_store.store.newest_blocks import Changes, NewestBlocks, NewestState, pieced_together
from icc_store.store.noted_write import ever_removed

REPOSITORY = bytes(range(16))
STATE = NewestState(permille=50, covered=0, last=0, room=10_000)


@pytest.fixture
def newest(tmp_path: Path) -> NewestBlocks:
    """A file that has nothing yet, and room for 10,000 bytes."""
    made = NewestBlocks(tmp_path / "newest", REPOSITORY)
    made.begin(STATE, (), ())
    return made


@pytest.fixture
def store(tmp_path: Path, newest: NewestBlocks) -> Iterator[LmdbStore]:
    """A store that keeps second copies there."""
    (tmp_path / "repository" / "writers").mkdir(parents=True)
    opened = LmdbStore(tmp_path / "repository", REPOSITORY, FileLock(tmp_path / "lock"), newest=newest)
    yield opened
    opened.close()


def append_and_stop(store: LmdbStore) -> None:
    """Append a block, and be interrupted before the commit."""
    with store.write() as txn:
        txn.append_block(b"lost")
        raise KeyboardInterrupt


def nothing(start: int, end: int) -> list[tuple[int, bytes]]:
    """No block was missed."""
    assert start == end
    return []


def test_what_is_committed_is_kept_twice(store: LmdbStore, newest: NewestBlocks) -> None:
    """Each commit's blocks are in the file, and what an aborted one appended is not."""
    with store.write() as txn:
        txn.append_block(b"one")
        txn.append_block(b"two" * 1000)
    with pytest.raises(KeyboardInterrupt):
        append_and_stop(store)
    with store.write() as txn:
        txn.append_block(b"three")
    content = newest.content()
    assert content.copies == {1: b"one", 2: b"two" * 1000, 3: b"three"}
    assert (content.removed, content.damaged) == (frozenset(), False)
    state = newest.state()
    assert state is not None
    assert state.last == 3


def test_removals_are_noted(store: LmdbStore, newest: NewestBlocks) -> None:
    """The numbers of blocks that go are in the file; only those that sums cover count as removed, as whole cells."""
    with store.write() as txn:
        txn.append_block(b"one")
        txn.append_block(b"two")
    newest.begin(NewestState(permille=50, covered=1, last=2, room=10_000), [(2, b"two")], ())
    with store.write() as txn:
        txn.delete_block(1)
        txn.delete_block(2)
        txn.delete_block(7)
    state = newest.state()
    assert newest.content().removed == {1, 2}
    assert state is not None
    assert state.removed == 4096


def test_what_a_crash_left_out_is_made_up_for(store: LmdbStore, newest: NewestBlocks) -> None:
    """Blocks of a commit after which the process died, before it wrote the copies, come with the next commit."""
    store.newest = None
    with store.write() as txn:
        txn.append_block(b"before the crash")
    store.newest = newest
    with store.write() as txn:
        txn.append_block(b"after it")
    assert newest.content().copies == {1: b"before the crash", 2: b"after it"}


def test_room_is_kept_to(store: LmdbStore, newest: NewestBlocks) -> None:
    """Copies end where the room ends, without a gap; removals are noted all the same."""
    for size in (6000, 6000, 1):
        with store.write() as txn:
            txn.append_block(bytes(size))
    assert list(newest.content().copies) == [1]
    state = newest.state()
    assert state is not None
    assert state.last == 1  # the third would fit, and the second not
    with store.write() as txn:
        txn.delete_block(1)
    assert newest.content().removed == {1}


def test_a_torn_record_is_noticed_and_passed_over(newest: NewestBlocks) -> None:
    """A record that is damaged is not there; those before and behind it are."""
    newest.note(Changes([(1, b"one" * 100), (2, b"two" * 100), (3, b"three" * 100)], {}, 0), nothing)
    data = bytearray(newest.path.read_bytes())
    data[data.find(b"twotwo")] ^= 1
    newest.path.write_bytes(data)
    content = newest.content()
    assert content.copies == {1: b"one" * 100, 3: b"three" * 100}
    assert content.damaged


def test_what_stands_behind_the_end_is_nothing(newest: NewestBlocks) -> None:
    """Bytes of a commit after which the power failed, before the state that names them, are no damage and no copy."""
    newest.note(Changes([(1, b"one" * 100)], {}, 0), nothing)
    before = newest.path.read_bytes()
    newest.note(Changes([(2, b"two" * 100)], {}, 0), nothing)
    newest.path.write_bytes(before[:128] + newest.path.read_bytes()[128:-50] + bytes(70))
    content = newest.content()
    assert content.copies == {1: b"one" * 100}
    assert not content.damaged


def test_without_its_state_all_that_is_whole_counts(newest: NewestBlocks) -> None:
    """Then nobody knows where the end is, and each record has a checksum of its own."""
    newest.note(Changes([(1, b"one" * 100)], {}, 0), nothing)
    newest.path.write_bytes(bytes(128) + newest.path.read_bytes()[128:])
    assert newest.content().copies == {1: b"one" * 100}
    assert newest.content().damaged


def test_records_are_on_the_disk_before_the_state_names_them(
    newest: NewestBlocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state is written after a wait for the records, and waited for."""
    calls: list[str] = []
    write, sync = os.pwrite, os.fdatasync

    def pwrite(descriptor: int, data: bytes, offset: int) -> int:
        calls.append("record" if offset else "state")
        return write(descriptor, data, offset)

    def fdatasync(descriptor: int) -> None:
        calls.append("wait")
        sync(descriptor)

    monkeypatch.setattr(os, "pwrite", pwrite)
    monkeypatch.setattr(os, "fdatasync", fdatasync)
    newest.note(Changes([(1, b"one"), (2, b"two")], {}, 0), nothing)
    assert calls == ["record", "record", "wait", "state", "wait"]


def test_marks_everywhere_end_the_search(newest: NewestBlocks) -> None:
    """A file that seems to have a large record at each place, and has none, is read a few times at most."""
    record = b"ICCN" + (200_000).to_bytes(4, "little") + bytes(8)
    newest.path.write_bytes(newest.path.read_bytes() + record * 30_000)
    assert newest.content().copies == {}


def test_removals_that_were_not_noted_show(store: LmdbStore, newest: NewestBlocks) -> None:
    """A state that lacks a removal keeps an older number of removals, whatever is noted later."""
    with store.write() as txn:
        for _ in range(4):
            txn.append_block(b"one")
    with store.write() as txn:
        txn.delete_block(1)
    before = newest.path.read_bytes()
    with store.write() as txn:
        txn.delete_block(2)
        assert ever_removed(txn) == 2
    newest.path.write_bytes(before)
    with store.write() as txn:
        txn.delete_block(3)
    state = newest.state()
    assert state is not None
    assert state.gone == 1


def test_two_damaged_copies_make_a_whole_one(newest: NewestBlocks) -> None:
    """Each piece is known by itself, so it is enough that every piece is right in one of them."""
    block = random.Random(1).randbytes(9000)
    newest.note(Changes([(1, block)], {}, 0), nothing)
    data = bytearray(newest.path.read_bytes())
    at = data.find(block)
    data[at + 4500 : at + 6000] = bytes(1500)
    newest.path.write_bytes(data)
    content = newest.content()
    assert content.damaged
    assert content.copies == {}
    other = block[:8200] + bytes(800)
    assert pieced_together([content.damaged_copies[1], other], content.checks[1]) == block
    assert pieced_together([content.damaged_copies[1], bytes(9000)], content.checks[1]) is None


@pytest.mark.parametrize("length", [0, 40, 128, 140, 210])
def test_a_file_that_is_cut_off_gives_what_is_whole(newest: NewestBlocks, length: int) -> None:
    """Nothing is made up, wherever the file ends."""
    newest.note(Changes([(1, b"one" * 10), (2, b"two" * 100)], {}, 0), nothing)
    os.truncate(newest.path, length)
    content = newest.content()
    assert content.copies in ({}, {1: b"one" * 10})
    assert content.damaged


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    """Without the file there is no state, nothing in it, and a commit changes nothing."""
    newest = NewestBlocks(tmp_path / "newest", REPOSITORY)
    newest.note(Changes([(1, b"one")], {}, 0), nothing)
    assert newest.state() is None
    assert newest.content().damaged
    assert not newest.path.exists()


def test_another_repository_s_file_is_not_used(newest: NewestBlocks) -> None:
    """A state that names another repository is none."""
    assert NewestBlocks(newest.path, bytes(16)).state() is None


def test_a_commit_stands_when_copies_cannot_be_written(store: LmdbStore, newest: NewestBlocks) -> None:
    """A disk that refuses the copies does not make a commit fail that is on the disk already."""
    newest.path.unlink()
    newest.path.mkdir()
    with store.write() as txn:
        txn.append_block(b"one")
    with store.read() as txn:
        assert txn.block(1) == b"one"
