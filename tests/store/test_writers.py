"""Writer records: what gc leaves alone."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from icc_store.store.writers import lowest_writer, writer_record

WRITE = """
import sys, pathlib
from icc_store.store.writers import writer_record
with writer_record(pathlib.Path(sys.argv[1]), int(sys.argv[2])):
    print("writing", flush=True)
    sys.stdin.read()
"""


def writer(directory: Path, first: int) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITE, os.fspath(directory), str(first)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    return process


def test_nobody_writes(tmp_path: Path) -> None:
    """Without records there is no lowest writer."""
    assert lowest_writer(tmp_path) is None


def test_a_missing_directory_is_made(tmp_path: Path) -> None:
    """A repository that was copied without its empty directory can be written to."""
    assert lowest_writer(tmp_path / "writers") is None
    with writer_record(tmp_path / "writers", 7):
        assert lowest_writer(tmp_path / "writers") == 7
    assert (tmp_path / "writers").stat().st_mode & 0o777 == 0o700


def test_the_lowest_first_block_counts(tmp_path: Path) -> None:
    """Of several runs the one that began earliest is the bound; records go with their runs."""
    with writer_record(tmp_path, 70):
        process = writer(tmp_path, 40)
        with writer_record(tmp_path, 90):
            assert lowest_writer(tmp_path) == 40
        process.communicate(timeout=10)
        assert lowest_writer(tmp_path) == 70
    assert lowest_writer(tmp_path) is None
    assert os.listdir(tmp_path) == []


def test_a_killed_writer_counts_no_more(tmp_path: Path) -> None:
    """Its record stays behind unlocked, is recognised, and is removed by whoever asks next."""
    process = writer(tmp_path, 5)
    process.kill()
    process.communicate(timeout=10)
    assert len(os.listdir(tmp_path)) == 1
    assert lowest_writer(tmp_path) is None
    assert os.listdir(tmp_path) == []


def test_an_unfinished_record_is_passed_over(tmp_path: Path) -> None:
    """A record becomes visible locked and complete; what a crash left unfinished goes when nobody is making one."""
    (tmp_path / ".halfway").write_bytes(b"")
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_SH)  # as whoever makes one does
    assert lowest_writer(tmp_path) is None
    assert (tmp_path / ".halfway").exists()
    os.close(directory)
    assert lowest_writer(tmp_path) is None
    assert not (tmp_path / ".halfway").exists()


@pytest.mark.parametrize("contents", [b"", b"nonsense\n", b"\xff\xfe"])
def test_a_held_record_that_says_nothing_holds_everything(tmp_path: Path, contents: bytes) -> None:
    """Where a living writer's first block cannot be read, gc must leave every block alone."""
    with writer_record(tmp_path, 9):
        (path,) = tmp_path.iterdir()
        path.write_bytes(contents)
        assert lowest_writer(tmp_path) == 0
