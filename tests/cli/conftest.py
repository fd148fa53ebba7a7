"""A repository with three snapshots, and the program to look at it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from icc_store.clock import FixedClock
from icc_store.model.entry import Entry
from icc_store.opening import create_repository, open_repository
from tests.support.program import Program
from tests.support.snapshots import take

NOON = 1_793_534_400_000_000_000
"""2026-11-01 12:00:00 UTC."""

FIRST = {
    "a.md": b"hello\n",
    "d/b.json": b'{"n": 1}',
    "d/e/f.txt": b"x" * 5000,
    "link": Entry(b"", stat.S_IFLNK | 0o777, target=b"a.md"),
    b"bad\xff\x1b": b"1",
    "empty": b"",
}
HERE = {1: b"", 2: stat.S_IFDIR | 0o755, 3: 1000, 4: 100, 6: NOON}
NOTES: dict[str, Any] = {"paths": (b"/home/ada/notes",), "root_entry": HERE}
SECOND = FIRST | {"a.md": b"hello again\n", "large": bytes(range(256)) * 12_000}


@pytest.fixture(scope="session")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository. Tests that write to it use `program` instead."""
    path = tmp_path_factory.mktemp("kept") / "repository"
    fill(path)
    return path


@pytest.fixture
def look(kept: Path) -> Program:
    """The program on a repository that is only looked at."""
    return Program(kept)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program on a repository of the test's own."""
    fill(tmp_path / "repository")
    return Program(tmp_path / "repository")


def fill(path: Path) -> None:
    """Two snapshots of the source home, one of another."""
    create_repository(path)
    clock = FixedClock(NOON)
    with open_repository(path, clock=clock) as repository:
        take(repository, FIRST, name="first", tags=("good",), **NOTES)
        clock.sleep(3600)
        take(repository, SECOND, warnings=((b"d/secret", "permission denied"),), **NOTES)
        clock.sleep(3600)
        take(repository, {"a.md": b"hello\n"}, source="other", note="a note")
