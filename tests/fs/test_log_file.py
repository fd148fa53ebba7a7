"""A log that stays small and that nobody else can read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from icc_store.fs.log_file import append_lines, previous
from icc_store.limits import MAX_LOG_FILE


def test_lines_are_added_for_the_owner_alone(tmp_path: Path) -> None:
    """The file has mode 0600 and its directory 0700; every call adds at the end."""
    log = tmp_path / "state" / "log"
    append_lines(log, ["one"])
    append_lines(log, ["two", "three"])
    assert log.read_text() == "one\ntwo\nthree\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_line_is_a_line_whatever_is_in_it(tmp_path: Path) -> None:
    """Line feeds, escapes and bytes that were no text are written as escapes; letters of any script stay."""
    append_lines(tmp_path / "log", ["a\nb\x1b[2J", "ä\udcff"])
    assert (tmp_path / "log").read_text() == "a\\nb\\x1b[2J\nä\\udcff\n"


def test_a_full_log_makes_room(tmp_path: Path) -> None:
    """At its limit the file becomes the previous one, so that there are never more than two."""
    log = tmp_path / "log"
    for line in ("first", "second", "third"):
        append_lines(log, [line])
        with log.open("a") as stream:
            stream.write("x" * MAX_LOG_FILE)
    append_lines(log, ["last"])
    assert log.read_text() == "last\n"
    assert previous(log).read_text().startswith("third\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link where the log should be is an error, and what it leads to stays as it was."""
    (tmp_path / "victim").write_text("mine")
    os.symlink(tmp_path / "victim", tmp_path / "log")
    with pytest.raises(OSError, match="symbolic link"):
        append_lines(tmp_path / "log", ["no"])
    assert (tmp_path / "victim").read_text() == "mine"
