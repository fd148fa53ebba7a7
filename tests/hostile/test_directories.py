"""The directory of a repository, with links and pipes where files should be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from icc_store.opening import create_repository, open_repository
from icc_store.store.head import Head, write_head
from icc_store.store.locks import FileLock
from tests.support.bounded import one_after_another
from tests.support.program import Program

FILES = (
    "head",
    "write.lock",
    "use.lock",
    "due.lock",
    "data.mdb",
    "lock.mdb",
    "repository.json",
    "compact.tmp",
    "writers",
)


@pytest.mark.parametrize("name", FILES)
def test_links_and_pipes(tmp_path: Path, name: str) -> None:
    """A link or pipe in the place of any file ends each command at once, and what the link leads to stays as it was."""
    create_repository(tmp_path / "r")
    precious = tmp_path / "precious"
    (tmp_path / "source").mkdir()
    place = tmp_path / "r" / name
    if place.is_dir():
        place.rmdir()
    place.unlink(missing_ok=True)
    commands = [["list"], ["snapshot", str(tmp_path / "source")], ["gc"], ["gc", "--compact"], ["verify"]]
    for make in (lambda: place.symlink_to(precious), lambda: os.mkfifo(place)):
        precious.write_bytes(b"precious")
        make()
        for done in one_after_another(Program(tmp_path / "r"), commands):
            assert done.code in {1, 6}, done
            assert name in done.err
        assert precious.read_bytes() == b"precious"
        place.unlink()


def test_a_link_that_comes_later(tmp_path: Path) -> None:
    """What is written while a repository is open is written through no link, should one appear meanwhile."""
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        for name in ("head", "write.lock"):
            (tmp_path / "r" / name).unlink()
            (tmp_path / "r" / name).symlink_to(precious)
        with pytest.raises(OSError, match="symbolic links"), FileLock(tmp_path / "r" / "write.lock").held():
            pass
        with pytest.raises(OSError, match="symbolic links"):
            write_head(tmp_path / "r" / "head", repository.header.repository, Head(1, bytes(16)))
    assert precious.read_bytes() == b"precious"


@pytest.mark.parametrize("name", ["repository.json", "head", "writers/1"])
def test_files_of_any_size(tmp_path: Path, name: str) -> None:
    """A file that should have a few bytes and has a terabyte is not read into memory."""
    create_repository(tmp_path / "r")
    (tmp_path / "r" / name).touch()
    os.truncate(tmp_path / "r" / name, 1 << 40)
    commands = [["list"], ["gc"], ["verify"]]
    for done in one_after_another(Program(tmp_path / "r"), commands):
        assert done.code == (0 if "writers" in name else 6), done
        assert "memory" not in done.err
    assert (tmp_path / "r" / name).exists() == ("writers" not in name)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path)])
def test_links_and_pipes_among_the_writers(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """What is no record of a writer is not waited for by gc, and named; snapshots go on."""
    create_repository(tmp_path / "r")
    (tmp_path / "source").mkdir()
    make(tmp_path / "r" / "writers" / "1")
    gc, snapshot = one_after_another(Program(tmp_path / "r"), [["gc"], ["snapshot", str(tmp_path / "source")]])
    assert gc.code == 1
    assert "writers/1 is neither a file nor a directory" in gc.err
    assert snapshot.code == 0
