"""A file appears whole or not at all, and replaces nothing it may not replace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.errors import TargetError
from icc_store.fs.new_file import NewFile, is_special
from tests.support.dying import Unfinished


def test_it_appears_when_it_is_finished(tmp_path: Path) -> None:
    """Before `finish` the name is free; after it the file is whole, with the usual mode, and alone."""
    target = tmp_path / "new"
    with NewFile(target, replace=False) as file:
        file.write(b"one ")
        file.write(b"two")
        assert not target.exists()
        file.finish()
    assert target.read_bytes() == b"one two"
    assert target.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["new"]


@pytest.mark.parametrize("replace", [False, True])
def test_an_error_leaves_nothing(tmp_path: Path, replace: bool) -> None:
    """What goes wrong in the body leaves what was there before, and no temporary file."""
    target = tmp_path / "new"
    if replace:
        target.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_half(target, replace=replace)
    assert os.listdir(tmp_path) == (["new"] if replace else [])
    assert not replace or target.read_text() == "old"


def write_half(target: Path, *, replace: bool) -> None:
    with NewFile(target, replace=replace) as file:
        file.write(b"half")
        raise KeyboardInterrupt


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    """An existing file, a dangling link and a directory are refused at the beginning."""
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "directory").mkdir()
    for name in ("file", "link", "directory"):
        with pytest.raises(TargetError, match=r"there already|is a directory"):
            NewFile(tmp_path / name, replace=False)
    with pytest.raises(TargetError, match="is a directory"):
        NewFile(tmp_path / "directory", replace=True)


def test_what_came_meanwhile_is_kept(tmp_path: Path) -> None:
    """A file that somebody else made while this one was written is not replaced."""
    target = tmp_path / "new"
    with NewFile(target, replace=False) as file:
        target.write_text("theirs")
        with pytest.raises(TargetError, match="there already"):
            file.finish()
    assert target.read_text() == "theirs"
    assert os.listdir(tmp_path) == ["new"]


def test_replacing(tmp_path: Path) -> None:
    """With `replace` the old file goes when the new one is whole."""
    target = tmp_path / "new"
    target.write_text("old")
    with NewFile(target, replace=True) as file:
        file.write(b"new")
        assert target.read_text() == "old"
        file.finish()
    assert target.read_text() == "new"


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """A missing directory is said in one line."""
    with pytest.raises(TargetError, match="No such file or directory"):
        NewFile(tmp_path / "nowhere" / "new", replace=False)


def test_special_files(tmp_path: Path) -> None:
    """FIFOs and devices are special, also behind a link; files, directories and nothing are not."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "null").symlink_to("/dev/null")
    (tmp_path / "file").touch()
    special = [name for name in ("fifo", "null", "file", ".", "missing") if is_special(tmp_path / name)]
    assert special == ["fifo", "null"]


def test_what_the_dead_left_goes(tmp_path: Path) -> None:
    """The next file in a directory takes away what a killed process left there, and nothing of the living."""
    left, live = (tmp_path / f".icc-unfinished-{digit * 16}" for digit in "01")
    (tmp_path / ".icc-unfinished-notes").touch()
    with Unfinished(left) as dead:
        dead.kill()
        with Unfinished(live), NewFile(tmp_path / "one", replace=False) as file:
            file.finish()
        assert left.exists()
    with NewFile(tmp_path / "two", replace=False) as file:
        file.finish()
    assert sorted(os.listdir(tmp_path)) == [".icc-unfinished-notes", "one", "two"]
