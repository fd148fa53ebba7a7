"""Temporary names of the dead are known from those of the living, and from names of somebody else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.fs.leftovers import hold, of_the_dead
from tests.fs.roles import IS_ROOT
from tests.support.dying import Unfinished

OURS = re.compile(rb"\.ours-[0-9a-f]+")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def found(directory: int) -> list[bytes]:
    return of_the_dead(directory, map(os.fsencode, os.listdir(directory)), OURS)


def test_the_living_are_left_alone(tmp_path: Path, directory: int) -> None:
    """A name is of the dead as soon as its maker was killed, and not before; others' names never are."""
    for name in ("ours", ".ours-x", ".ours-1.txt", "notes"):
        (tmp_path / name).touch()
    with Unfinished(tmp_path / ".ours-1") as maker:
        assert found(directory) == []
        maker.kill()
        assert found(directory) == [b".ours-1"]


def test_one_who_lives_protects_all(tmp_path: Path, directory: int) -> None:
    """As long as anybody works in the directory, nothing there is taken for something of the dead."""
    with Unfinished(tmp_path / ".ours-1") as first, Unfinished(tmp_path / ".ours-2") as second:
        first.kill()
        assert found(directory) == []
        second.kill()
        assert found(directory) == [b".ours-1", b".ours-2"]


def test_asking_takes_nothing_from_anybody(tmp_path: Path, directory: int) -> None:
    """Who has asked does not keep others from making names, nor from asking."""
    (tmp_path / ".ours-1").touch()
    assert found(directory) == [b".ours-1"]
    second = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    assert found(second) == [b".ours-1"]
    hold(second)
    assert found(directory) == []
    os.close(second)
    assert found(directory) == [b".ours-1"]


def test_a_directory_that_somebody_has_to_himself(tmp_path: Path, directory: int) -> None:
    """`flock DIRECTORY icc-store restore` ends: holding does not wait for a lock that is not ours."""
    with Unfinished(tmp_path / ".ours-1", alone=True):
        hold(directory)
        assert found(directory) == []


@pytest.mark.skipif(not IS_ROOT, reason="only root makes files of others")
def test_names_of_other_users_stay(tmp_path: Path, directory: int) -> None:
    """What belongs to somebody else is not ours, whatever it is called."""
    (tmp_path / ".ours-1").touch()
    os.chown(tmp_path / ".ours-1", 12345, 12345)
    assert found(directory) == []
