"""A directory held by its descriptor, as the modules under test take it, and a target with its writer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from icc_store.fs.writer import TreeWriter


@dataclass
class Place:
    """A directory and an open descriptor of it."""

    path: Path
    fd: int

    def lstat(self, name: bytes) -> os.stat_result:
        return os.stat(name, dir_fd=self.fd, follow_symlinks=False)

    def names(self) -> list[str]:
        return sorted(os.listdir(self.path))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    path = tmp_path / "place"
    path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield Place(path, fd)
    os.close(fd)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where a restore writes; still to be made."""
    return tmp_path / "target"


@pytest.fixture
def writer(target: Path) -> Iterator[TreeWriter]:
    with TreeWriter(target) as one:
        yield one
