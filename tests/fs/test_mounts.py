"""mounts: which file system a path is on, and its time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.fs.mounts import clock_of, file_system_type, is_network


def test_known_file_systems() -> None:
    """The kernel's own file systems are recognised by name, whatever prefix or link leads there."""
    assert file_system_type(Path("/proc/self/status")) == "proc"
    assert file_system_type(Path("/sys")) == "sysfs"


def test_a_path_still_to_be_made(tmp_path: Path) -> None:
    """A path that is not there yet is judged by its nearest parent, also where a file stands in the way."""
    here = file_system_type(tmp_path)
    assert here
    assert file_system_type(tmp_path / "not" / "yet") == here
    (tmp_path / "file").touch()
    assert file_system_type(tmp_path / "file" / "below") == here


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path is taken from where the process stands."""
    monkeypatch.chdir("/proc")
    assert file_system_type(Path("self/nothing/here")) == "proc"


def test_local_is_not_network(tmp_path: Path) -> None:
    """Local file systems are not taken for network ones."""
    assert is_network(tmp_path) is None
    assert is_network(Path("/proc")) is None


def test_the_clock_is_that_of_new_files(tmp_path: Path) -> None:
    """The time lies between those of files written before and after, and nothing stays behind."""
    (tmp_path / "before").touch()
    now = clock_of(tmp_path)
    (tmp_path / "after").touch()
    assert (tmp_path / "before").stat().st_mtime_ns <= now <= (tmp_path / "after").stat().st_mtime_ns
    assert sorted(os.listdir(tmp_path)) == ["after", "before"]


def test_no_clock_where_nothing_can_be_made() -> None:
    """A place that takes no file is an OSError."""
    with pytest.raises(OSError, match=r"^\[Errno \d+\] "):
        clock_of(Path("/proc/self"))


def test_descriptors_are_closed(tmp_path: Path) -> None:
    """Asking leaves no descriptor open."""
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        is_network(tmp_path / "x")
        clock_of(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before
