"""Snapshots whose source or whose machine misbehaves: what can be stored is, and nothing wrong ever is."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from icc_store.errors import IccStoreError
from icc_store.fs.file_reader import FileReader
from icc_store.fs.file_store import FileStore
from icc_store.limits import MIB, READ_TRIES
from icc_store.model.entry import CHUNK, SIZE
from icc_store.model.repository import Repository
from icc_store.objects.encoder import Compressor, Encoder
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.verify import verify
from tests.support.live import contents, fill, new_clock, shoot
from tests.support.shelf import noise, words
from tests.support.troubled import Failing, Lying, Notes, Spoiling

FILES = {f"d{number % 3}/{number}": words(number, 2000) for number in range(30)} | {"large": noise(1, 3 * MIB)}


# ---------------------------------------------------------------- compression


def with_compressor(repository: Repository, compressor: Compressor) -> Repository:
    """The same repository, whose runs compress with this."""

    class Other(Repository):
        def adding(self, **options: Any) -> Any:
            return super().adding(**options | {"encoder": Encoder(compressor=compressor)})

    return Other(repository.path, repository.header, repository.store, clock=repository.clock)


@pytest.mark.parametrize("trouble", [Failing(), Failing(3, 4, 7, 8), Failing(error=MemoryError()), Lying(), Lying(2)])
def test_no_trouble_of_the_compressor_loses_a_file(repository: Repository, tmp_path: Path, trouble: Failing) -> None:
    """The snapshot is complete and whole, and the user is told that compression failed."""
    fill(tmp_path / "source", FILES)
    notes = Notes()
    options = SnapshotOptions(source="home", host="here")
    result = take_snapshot(
        with_compressor(repository, trouble), [tmp_path / "source"], options=options, monitor=notes, clock=new_clock()
    )
    assert result.snapshot is not None
    assert contents(repository, result.snapshot) == FILES
    assert verify(repository).findings == ()
    assert any("compressing" in line and "failed" in line for line in notes.said)


def test_bytes_that_change_in_memory_once(repository: Repository, tmp_path: Path) -> None:
    """Everything is read again, and the snapshot holds what is in the files."""
    fill(tmp_path / "source", FILES)
    result = shoot(with_compressor(repository, Spoiling(1)), tmp_path / "source")
    assert result.snapshot is not None
    assert contents(repository, result.snapshot) == FILES
    assert verify(repository).findings == ()


def test_bytes_that_keep_changing_in_memory(repository: Repository, tmp_path: Path) -> None:
    """There is no snapshot then, and an error that says what to check; what was there before is whole."""
    fill(tmp_path / "source", FILES)
    first = shoot(repository, tmp_path / "source").snapshot
    assert first is not None
    fill(tmp_path / "source", FILES | {"new": words(99, 9000)})
    with pytest.raises(IccStoreError, match="check this machine's memory"):
        shoot(with_compressor(repository, Spoiling()), tmp_path / "source")
    repository.objects.forget()
    assert [each.id for each in repository.snapshots()] == [first.id]
    assert verify(repository).findings == ()


# ---------------------------------------------------------------- reading


class Shaky(FileReader):
    """Fails with EIO at the first calls, and gives other bytes each time where that is asked for."""

    def __init__(self, failures: int, *, differs: bool = False) -> None:
        super().__init__()
        self.calls = 0
        self._failures = failures
        self._differs = differs

    def read_small(self, dir_fd: int, name: bytes, size: int) -> tuple[bytes, os.stat_result, dict[bytes, bytes]]:
        self._shake(name)
        data, status, attributes = super().read_small(dir_fd, name, size)
        return (b"%d" % self.calls + data[1:] if self._differs else data), status, attributes

    def open(self, dir_fd: int, name: bytes) -> int:
        self._shake(name)
        return super().open(dir_fd, name)

    def _shake(self, name: bytes) -> None:
        self.calls += 1
        if self.calls <= self._failures:
            raise OSError(errno.EIO, "Input/output error", name)


def stored(repository: Repository, path: Path, reader: FileReader) -> Any:
    """The entry that comes of one file."""
    fd = os.open(path.parent, os.O_RDONLY)
    try:
        with repository.adding() as run:
            store = FileStore(run.writer, run.objects, reader=reader)
            return store.store(fd, path.name.encode(), path.stat(), None)
    finally:
        os.close(fd)


@pytest.mark.parametrize("size", [3000, 3 * MIB])
def test_a_read_that_fails_is_done_again(repository: Repository, tmp_path: Path, size: int) -> None:
    """A device that fails at first gives the file in the end; what it gives is read twice before it is believed."""
    (tmp_path / "file").write_bytes(noise(2, size))
    shaky = Shaky(1)
    assert stored(repository, tmp_path / "file", shaky)[SIZE] == size
    assert shaky.calls == READ_TRIES
    calm = Shaky(0)
    assert stored(repository, tmp_path / "file", calm)[SIZE] == size
    assert calm.calls == 1


def test_a_read_that_always_fails(repository: Repository, tmp_path: Path) -> None:
    """After three times the device's own error is what is told."""
    (tmp_path / "file").write_bytes(b"x")
    shaky = Shaky(99)
    with pytest.raises(OSError, match="Input/output error"):
        stored(repository, tmp_path / "file", shaky)
    assert shaky.calls == READ_TRIES


def test_reads_that_differ_are_an_error(repository: Repository, tmp_path: Path) -> None:
    """A device that fails and then gives other bytes each time is not believed; the message says what it did."""
    (tmp_path / "file").write_bytes(words(3, 500))
    with pytest.raises(OSError, match="gave different bytes"):
        stored(repository, tmp_path / "file", Shaky(1, differs=True))
    assert CHUNK in stored(repository, tmp_path / "file", Shaky(2, differs=True))  # read once


def test_one_file_that_cannot_be_read_is_listed(repository: Repository) -> None:
    """A file that really fails with EIO is a problem of the snapshot, and the others are stored."""
    # The kernel has such files: nothing is mapped at the first address of a process, so it cannot be read there.
    here = Path(f"/proc/{os.getpid()}")
    result = shoot(repository, here / "mem", here / "limits")
    assert result.snapshot is not None
    problems = dict(result.problems)
    assert problems == {os.fsencode(here / "mem").lstrip(b"/"): "Input/output error"}
