"""Files that another process reads before they are asked for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest

from icc_store.codec.hashing import chunk_id
from icc_store.entities.profiles import GENERIC
from icc_store.fs.read_ahead import ReadAhead
from icc_store.limits import READ_AHEAD_SIZE
from icc_store.operations.memory.reading import read_ahead
from tests.fs.conftest import Place
from tests.support.processes import children

FILES = {b"file%03d" % number: b"contents of %d " % number * 20 for number in range(300)}


@pytest.fixture
def others() -> set[int]:
    """Processes that are none of ours."""
    return children()


@pytest.fixture
def ahead(others: set[int]) -> Iterator[ReadAhead]:
    started = read_ahead(GENERIC)
    yield started
    started.close()


@pytest.fixture
def files(place: Place) -> Place:
    """A directory of many small files."""
    for name, data in FILES.items():
        (place.path / os.fsdecode(name)).write_bytes(data)
    return place


def ask(ahead: ReadAhead, place: Place, names: list[bytes]) -> None:
    """Ask until the process is there."""
    statuses = [place.lstat(name) for name in names]
    while not ahead.ask(place.fd, b"place", names, statuses):
        time.sleep(0.01)


def test_every_file_comes_with_its_bytes_and_id(files: Place, ahead: ReadAhead) -> None:
    """As the scan would have read and hashed it, attributes included."""
    os.setxattr(files.path / "file007", "user.colour", b"green")
    names = sorted(FILES)
    ask(ahead, files, names)
    for name in names:
        attributes = {b"user.colour": b"green"} if name == b"file007" else {}
        assert ahead.take(name) == [FILES[name], chunk_id(FILES[name]), attributes, None]


def test_what_is_not_as_the_scan_saw_it_is_left_to_the_scan(files: Place, ahead: ReadAhead) -> None:
    """Longer, shorter, written anew, replaced, gone or no file by now: none of them, and all the others."""
    names = sorted(FILES)
    statuses = [files.lstat(name) for name in names]
    (files.path / "file010").write_bytes(FILES[b"file010"] + b"more")
    (files.path / "file020").write_bytes(b"less")
    (files.path / "file030").write_bytes(FILES[b"file030"])
    (files.path / "file040").unlink()
    (files.path / "file050").unlink()
    os.mkfifo(files.path / "file050")
    (files.path / "file060").unlink()
    (files.path / "file060").symlink_to("file061")
    os.replace(files.path / "file070", files.path / "file071")
    while not ahead.ask(files.fd, b"place", names, statuses):
        time.sleep(0.01)
    left = [name for name in names if ahead.take(name) is None]
    assert left == [b"file010", b"file020", b"file030", b"file040", b"file050", b"file060", b"file070", b"file071"]


def test_only_small_files_are_asked_for(place: Place, ahead: ReadAhead) -> None:
    """What is large, empty, sparse, or no regular file is the scan's."""
    (place.path / "a").write_bytes(b"small")
    (place.path / "b").write_bytes(bytes(1) * (READ_AHEAD_SIZE + 1))
    (place.path / "c").write_bytes(b"")
    (place.path / "d").mkdir()
    (place.path / "e").symlink_to("a")
    with (place.path / "f").open("wb") as sparse:
        sparse.truncate(READ_AHEAD_SIZE)
    (place.path / "g").write_bytes(b"small as well")
    ask(ahead, place, [b"a", b"b", b"c", b"d", b"e", b"f", b"g"])
    assert [name for name in (b"a", b"b", b"c", b"d", b"e", b"f", b"g") if ahead.take(name)] == [b"a", b"g"]


def test_what_nobody_took_does_not_stand_in_the_way(files: Place, ahead: ReadAhead) -> None:
    """A name out of turn is the scan's to read; the next directory is asked for all the same."""
    names = sorted(FILES)
    ask(ahead, files, names)
    assert ahead.take(b"file001") is None
    assert ahead.take(b"file000") is not None
    ask(ahead, files, names[200:])
    assert all(ahead.take(name) is not None for name in names[200:])
    assert ahead.take(names[-1]) is None


def test_a_process_that_is_killed_leaves_all_to_the_scan(files: Place, ahead: ReadAhead, others: set[int]) -> None:
    """At once, without an error, and without starting another."""
    names = sorted(FILES)
    ask(ahead, files, names)
    assert ahead.take(names[0]) is not None
    (process,) = children() - others
    os.kill(process, signal.SIGKILL)
    taken = [name for name in names[1:] if ahead.take(name) is not None]
    assert taken == names[1 : 1 + len(taken)]  # what had been answered by then
    ahead.ask(files.fd, b"place", names, [files.lstat(name) for name in names])
    assert ahead.take(names[0]) is None
    assert children() == others


def test_a_module_that_cannot_be_run_leaves_all_to_the_scan(files: Place, others: set[int]) -> None:
    """As where Python cannot be started anew: nothing is asked, and nothing waits."""
    with_nobody = ReadAhead("icc_store.no_such_module")
    names = sorted(FILES)
    statuses = [files.lstat(name) for name in names]
    while children() != others:
        assert not with_nobody.ask(files.fd, b"place", names, statuses)
        time.sleep(0.01)
    assert with_nobody.take(names[0]) is None


def test_the_process_ends_with_the_scan(ahead: ReadAhead, others: set[int]) -> None:
    """However early."""
    assert len(children() - others) == 1
    ahead.close()
    assert children() == others
