"""live_walk: what stands in a directory and below it, told step by step."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icc_store.fs.excludes import Excludes
from icc_store.fs.live_walk import Entered, Left, Met, Step, Unreadable, walk_live
from icc_store.limits import MAX_OPEN_DIRECTORIES
from tests.support.ordinary import ordinarily
from tests.support.trees import build_deep


@contextmanager
def walking(top: Path, *patterns: str) -> Iterator[Iterator[Step]]:
    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield walk_live(fd, Excludes(patterns))
    finally:
        os.close(fd)


def told(top: Path, *patterns: str) -> list[tuple[type[Step], bytes]]:
    with walking(top, *patterns) as steps:
        return [(type(step), step.path) for step in steps]


def test_everything_in_order_of_names(tmp_path: Path) -> None:
    """Each directory is entered and left once, its contents between; a link to a directory is only met."""
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/file").touch()
    (tmp_path / "a").touch()
    (tmp_path / "z").symlink_to("b")
    assert told(tmp_path) == [
        *((Entered, b""), (Met, b"a"), (Entered, b"b"), (Entered, b"b/c"), (Met, b"b/c/file")),
        *((Left, b"b/c"), (Left, b"b"), (Met, b"z"), (Left, b"")),
    ]


def test_a_file_can_be_opened_where_it_is_met(tmp_path: Path) -> None:
    """Its name is one of the directory that is open at that step, and its status is its own."""
    (tmp_path / "d").mkdir()
    (tmp_path / "d/file").write_bytes(b"some")
    with walking(tmp_path) as steps:
        met = next(step for step in steps if isinstance(step, Met))
        assert met.status.st_size == 4
        with open(os.open(met.name, os.O_RDONLY, dir_fd=met.directory_fd), "rb") as file:
            assert file.read() == b"some"


def test_what_is_left_out_is_not_entered(tmp_path: Path) -> None:
    """Neither files nor directories that a rule leaves out are told of."""
    (tmp_path / "cache/below").mkdir(parents=True)
    for name in ("a.tmp", "b", "cache/below/c"):
        (tmp_path / name).touch()
    assert told(tmp_path, "*.tmp", "/cache/") == [(Entered, b""), (Met, b"b"), (Left, b"")]


def test_a_closed_directory_does_not_end_the_walk() -> None:
    """It is told of as unreadable, and what comes after it is met."""
    ordinarily(_closed)


def _closed(here: Path) -> None:
    (here / "a").mkdir(mode=0)
    (here / "b").touch()
    assert told(here) == [(Entered, b""), (Unreadable, b"a"), (Met, b"b"), (Left, b"")]


def test_a_deep_way(tmp_path: Path) -> None:
    """Directories far deeper than descriptors are kept open for are all entered and left."""
    depth = 3 * MAX_OPEN_DIRECTORIES
    top = build_deep(tmp_path / "deep", depth)
    try:
        steps = told(top)
    finally:
        subprocess.run(["rm", "-rf", top], check=True)
    assert sum(kind is Entered for kind, _ in steps) == sum(kind is Left for kind, _ in steps) == depth + 1
    assert sum(kind is Met for kind, _ in steps) == depth


def test_a_directory_that_is_moved_away_ends_the_walk(tmp_path: Path) -> None:
    """The way back is never looked for elsewhere: the walk ends with an error."""
    top = build_deep(tmp_path / "deep", MAX_OPEN_DIRECTORIES + 2)
    with walking(top) as steps:
        next(step for step in steps if isinstance(step, Entered) and step.path.count(b"d") == MAX_OPEN_DIRECTORIES + 2)
        (top / "d/d").rename(tmp_path / "elsewhere")
        with pytest.raises(OSError, match="moved"):
            list(steps)
