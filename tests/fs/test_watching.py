"""A look sees every change of what is stored, and nothing of what is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from icc_store.fs.watching import look
from tests.support.live import OLD, fill, put

FILES = {"a": b"a", "d/b": b"b", "d/e/c": b""}


@pytest.fixture
def top(tmp_path: Path) -> Path:
    fill(tmp_path / "top", FILES)
    return tmp_path / "top"


CHANGES: dict[str, Callable[[Path], object]] = {
    "a new file": lambda top: put(top / "d/e/new", b"x"),
    "another content of the same size and time": lambda top: put(top / "d/b", b"c", mtime_ns=OLD),
    "another mode": lambda top: (top / "a").chmod(0o600),
    "a file that is gone": lambda top: (top / "d/e/c").unlink(),
    "another name": lambda top: (top / "a").rename(top / "z"),
    "a new directory": lambda top: (top / "d/new").mkdir(),
    "a file replaced": lambda top: [put(top / ".a.tmp", b"a"), (top / ".a.tmp").replace(top / "a")],
    "a link": lambda top: (top / "link").symlink_to("a"),
    "an attribute": lambda top: os.setxattr(top / "a", "user.x", b"1"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_seen(top: Path, change: Callable[[Path], object]) -> None:
    """Whatever a snapshot would store anew makes the next look differ."""
    before = look(top)
    assert look(top) == before
    change(top)
    assert look(top) != before


def test_every_name_is_seen(top: Path) -> None:
    """Files, directories and links, by their stored paths."""
    (top / "link").symlink_to("nowhere")
    assert set(look(top)) == {b"a", b"d", b"d/b", b"d/e", b"d/e/c", b"link"}


def test_what_is_never_stored_is_not_looked_at(top: Path) -> None:
    """The repository's own writes below a memory must not look like changes of it."""
    before = look(top, [b"d/e"])
    put(top / "d/e/c", b"changed")
    assert look(top, [b"d/e"]) == before
    assert b"d/e/c" not in before


def test_a_link_to_a_directory_is_not_followed(top: Path) -> None:
    """What it leads to is not part of the memory."""
    (top / "d/up").symlink_to("..")
    assert b"d/up/a" not in look(top)


def test_what_is_not_there_is_empty(tmp_path: Path) -> None:
    """A memory that is gone is no error here: the snapshot says so."""
    assert look(tmp_path / "nowhere") == {}
