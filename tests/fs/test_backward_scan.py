"""The second scan: what it stores, what it leaves to the first one, and where it ends."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from icc_store.fs.backward_scan import BackwardScan, Listener
from icc_store.fs.excludes import Excludes
from icc_store.fs.live_copies import SqliteCopies
from icc_store.fs.meeting import Meeting, Side, place_of
from icc_store.fs.scan_state import ScanOptions
from icc_store.fs.scanner import Scanner
from icc_store.fs.second_scan import FoundPart
from icc_store.limits import DEFAULT_LEVEL, MAX_OPEN_DIRECTORIES
from icc_store.model.repository import Repository
from icc_store.model.side_run import SideRun
from icc_store.model.tree import tree_parts
from icc_store.monitor import SILENT
from icc_store.opening import create_repository, open_repository
from tests.fs.conftest import Place
from tests.support.live import fill

FILES = {
    "a/one": b"1",
    "a/two": b"2",
    "b/c/three": b"3",
    "b/d/four": b"4",
    "b/five": b"5",
    "e/six": b"6",
}


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as opened:
        yield opened


@dataclass
class Heard:
    """What a second scan says."""

    told: list[tuple[bytes, FoundPart | None]] = field(default_factory=list)
    meeting: Meeting = field(default_factory=Meeting)

    def scan(self, repository: Repository, place: Place, excludes: Excludes | None = None) -> None:
        """Scan a place from its end."""
        side = SideRun(repository, DEFAULT_LEVEL, lambda _frames, _places: None)
        options = ScanOptions(b"label", excludes or Excludes())
        listener = Listener()
        scanner = Scanner(side, options, SqliteCopies(repository.path), listener)
        BackwardScan(scanner, side, listener, self.meeting, self._tell).scan(place.fd, b"")

    def _tell(self, at: bytes, found: FoundPart | None) -> None:
        self.told.append((at, found))

    @property
    def stored(self) -> list[bytes]:
        return [at for at, found in self.told if found is not None]

    @property
    def left(self) -> list[bytes]:
        return [at for at, found in self.told if found is None]


def test_directories_of_files_come_from_the_end(repository: Repository, place: Place) -> None:
    """Each by the place of its first name; those with directories in them are left to the first scan."""
    fill(place.path, FILES)
    heard = Heard()
    heard.scan(repository, place)
    assert heard.stored == [b"e\0six", b"b\0d\0four", b"b\0c\0three", b"a\0one"]
    assert heard.left == [b"a", b"b\0c"]


def test_its_trees_are_those_of_the_first_scan(repository: Repository, place: Place) -> None:
    """By their ids."""
    fill(place.path, FILES)
    heard = Heard()
    heard.scan(repository, place)
    with repository.adding() as run:
        scanner = Scanner(run, ScanOptions(b"label", Excludes()), SqliteCopies(repository.path), SILENT)
        root = scanner.scan(place.fd, b"")
        run.writer.commit()
    trees = {part for part, _ in tree_parts(repository.objects, root)}
    waiting = [part for _, part in tree_parts(repository.objects, root)]
    while waiting:
        for below in [wire[9] for wire in waiting.pop().entries if 9 in wire]:
            trees.add(below)
            waiting += [part for _, part in tree_parts(repository.objects, below)]
    assert {found.tree for _, found in heard.told if found is not None} < trees


@pytest.mark.parametrize(
    ("at", "stored"),
    [
        (place_of(b"", b"a"), [b"e\0six", b"b\0d\0four", b"b\0c\0three", b"a\0one"]),
        (place_of(b"a", b"one"), [b"e\0six", b"b\0d\0four", b"b\0c\0three"]),
        (place_of(b"b/c", b"three"), [b"e\0six", b"b\0d\0four"]),
        (place_of(b"b/d", b"four"), [b"e\0six"]),
        (place_of(b"e", b"six"), []),
        (place_of(b"f", b"last"), []),
    ],
)
def test_it_ends_where_the_first_scan_is(repository: Repository, place: Place, at: bytes, stored: list[bytes]) -> None:
    """What that has begun is never begun again."""
    fill(place.path, FILES)
    heard = Heard()
    heard.meeting.begin(Side.FORWARD, at)
    heard.scan(repository, place)
    assert heard.stored == stored


def test_what_is_out_of_the_ordinary_is_left(repository: Repository, place: Place) -> None:
    """Second names, links, pipes, names that are left out, and what may belong to a database."""
    kinds = ("database", "excluded", "hardlink", "pipe", "plain", "symlink")
    fill(place.path, {f"{kind}/file": b"content" for kind in kinds})
    os.link(place.path / "hardlink/file", place.path / "hardlink/second")
    os.mkfifo(place.path / "pipe/pipe")
    (place.path / "symlink/link").symlink_to("file")
    (place.path / "excluded/file.tmp").write_bytes(b"left out")
    (place.path / "database/notes.db-wal").write_bytes(b"")
    heard = Heard()
    heard.scan(repository, place, Excludes(["*.tmp"]))
    assert heard.stored == [b"plain\0file"]
    assert len(heard.left) == len(kinds)


def test_an_empty_directory_is_nobodys(repository: Repository, place: Place) -> None:
    """Nothing is told of it: there is nothing to save anybody."""
    heard = Heard()
    heard.scan(repository, place)
    assert heard.told == []


@pytest.mark.parametrize("depth", [MAX_OPEN_DIRECTORIES + 1, MAX_OPEN_DIRECTORIES + 2])
def test_a_large_directory_with_a_deep_one_in_it(repository: Repository, place: Place, depth: int) -> None:
    """What stands before the deep one is looked at in the right place: its directory was opened again meanwhile."""
    names = [f"large/{number:04}" for number in range(1400)]
    fill(place.path, dict.fromkeys(names, b"") | {f"large/9{'/d' * depth}/file": b"deep"})
    heard = Heard()
    heard.scan(repository, place)
    assert heard.stored[-1] == b"large\x000000"


def test_what_is_new_comes_with_its_part(repository: Repository, place: Place) -> None:
    """The tree, the row for the next run, and how many files were read."""
    fill(place.path, {"a/one": b"12345", "a/two": b"67"})
    heard = Heard()
    heard.scan(repository, place)
    found = dict(heard.told)[b"a\0one"]
    assert found is not None
    assert found.names == found.counted.files == found.counted.new_files == 2
    assert found.read_bytes == found.counted.size == 7
    assert len(found.objects) == len(found.rows) == 1
