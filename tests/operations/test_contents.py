"""What a snapshot holds, and the bytes of its files."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import ObjectMissing, PathNotInSnapshot, UsageError
from icc_store.limits import MIB
from icc_store.model.entry import Entry
from icc_store.model.repository import Repository
from icc_store.operations.contents import list_directory, read_file
from tests.support.snapshots import take

FIFO = 0o010644


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(10**18)


def test_listing(repository: Repository) -> None:
    """One directory in order of bytes; everything below it when recursive; a file alone."""
    files = {"b": b"1", "a/x": b"2", "a/y/z": b"3", "a.b": b"4", b"\xff": b"5"}
    record = take(repository, files).record

    def paths(path: bytes, *, recursive: bool = False) -> list[bytes]:
        return [found.path for found in list_directory(repository, record, path, recursive=recursive)]

    assert paths(b"") == [b"a", b"a.b", b"b", b"\xff"]
    assert paths(b"", recursive=True) == [b"a", b"a/x", b"a/y", b"a/y/z", b"a.b", b"b", b"\xff"]
    assert paths(b"a") == [b"a/x", b"a/y"]
    assert paths(b"b") == paths(b"b", recursive=True) == [b"b"]
    with pytest.raises(PathNotInSnapshot, match="a/none does not exist"):
        paths(b"a/none/deep")
    with pytest.raises(PathNotInSnapshot):
        paths(b"b/below-a-file")


def test_an_empty_snapshot(repository: Repository) -> None:
    """Nothing is listed of nothing."""
    assert list(list_directory(repository, take(repository).record, recursive=True)) == []


def test_bytes_of_files(repository: Repository) -> None:
    """Empty, small and large files come back as they were."""
    large = random.Random(7).randbytes(5 * MIB)
    record = take(repository, {"empty": b"", "small": b"abc", "d/large": large}).record
    assert list(read_file(repository, record, b"empty")) == []
    assert b"".join(read_file(repository, record, b"small")) == b"abc"
    assert b"".join(read_file(repository, record, b"d/large")) == large


def test_a_large_file_is_never_whole_in_memory(repository: Repository) -> None:
    """Reading 96 MiB takes a fraction of that."""
    large = random.Random(8).randbytes(32 * MIB) * 3
    record = take(repository, {"large": large}).record
    del large
    repository.objects.forget()
    tracemalloc.start()
    assert sum(len(piece) for piece in read_file(repository, record, b"large")) == 96 * MIB
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * MIB


def test_what_has_no_bytes(repository: Repository) -> None:
    """A directory, a link, a fifo and a path that is not there are refused, each by its name."""
    files = {"d/x": b"1", "link": Entry(b"", 0o120777, target=b"d/x"), "fifo": Entry(b"", FIFO)}
    record = take(repository, files).record
    for path, says in ((b"", "/ is a directory"), (b"d", "directory"), (b"link", "link to d/x"), (b"fifo", "special")):
        with pytest.raises(UsageError, match=says):
            next(read_file(repository, record, path))
    with pytest.raises(PathNotInSnapshot):
        next(read_file(repository, record, b"none"))


def test_damage_names_the_file(repository: Repository) -> None:
    """A chunk that is gone: the error says which file cannot be read."""
    lost = Entry(b"", 0o100644, size=3, chunk=bytes(range(32)))
    record = take(repository, {"d/lost": lost}).record
    with pytest.raises(ObjectMissing, match="d/lost cannot be read"):
        next(read_file(repository, record, b"d/lost"))


def test_nobody_is_held_up_by_a_slow_reader(repository: Repository) -> None:
    """While a row or a piece is out, no transaction is open that would keep freed pages."""
    record = take(repository, {"a": b"1", "b/c": b"2"}).record
    for _ in list_directory(repository, record, recursive=True):
        assert repository.objects._txn is None
    for _ in read_file(repository, record, b"b/c"):
        assert repository.objects._txn is None
