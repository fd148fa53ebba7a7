"""Directories that no format foresees: each is stored, restored by the program, and restored without it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zlib import crc32

import pytest

from icc_store.limits import MAX_OBJECT_SIZE
from icc_store.opening import create_repository, open_repository
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.verify import verify
from tests.support.described import describe
from tests.support.live import snap

READER = Path(__file__).parent / "independent_reader.py"
LONG_AGO = 10**18


def long_targets(top: Path) -> None:
    """Links whose names end no part, so that one part of the tree would be larger than any object."""
    names = (b"link-%d" % number for number in range(10_000))
    chosen = [name for name in names if crc32(name) * 0x9E3779B1 % 2**32 >= 2796202][:6000]
    for name in chosen:
        os.symlink(name * 350, os.path.join(os.fsencode(top), name))
    assert sum(350 * len(name) for name in chosen) > MAX_OBJECT_SIZE


def far_times(top: Path) -> None:
    """Times before 1901 and after 2554, where the file system has them."""
    for number, when in enumerate((-(10**19), 0, -1, 2**63, 10**20)):
        (top / f"file-{number}").write_bytes(b"x")
        os.utime(top / f"file-{number}", ns=(LONG_AGO, when))
        os.symlink("x", top / f"link-{number}")
        os.utime(top / f"link-{number}", ns=(LONG_AGO, when), follow_symlinks=False)


def odd_names(top: Path) -> None:
    """Every byte that a name can hold, alone and at the end of the longest name."""
    root = os.fsencode(top)
    for byte in set(range(1, 256)) - {ord("/"), ord(".")}:
        for name in (bytes([byte]), b"n" * 254 + bytes([byte])):
            with open(os.path.join(root, name), "wb") as file:
                file.write(name)


@pytest.mark.parametrize("fill", [long_targets, far_times, odd_names])
def test_an_odd_directory_comes_back(tmp_path: Path, fill: Callable[[Path], None]) -> None:
    """What was there is there again, twice over, and verify finds nothing."""
    source, path = tmp_path / "source", tmp_path / "repository"
    source.mkdir()
    fill(source)
    os.utime(source, ns=(LONG_AGO, LONG_AGO))
    create_repository(path)
    with open_repository(path) as repository:
        snapshot = snap(repository, source)
        assert snap(repository, source).record.root == snapshot.record.root
        assert restore(repository, snapshot, options=RestoreOptions(target=tmp_path / "one")).failures == ()
        assert verify(repository).findings == ()
    command = [sys.executable, "-I", os.fspath(READER), path, snapshot.id.hex(), tmp_path / "two"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = describe(source)
    assert describe(tmp_path / "one") == expected
    assert describe(tmp_path / "two") == expected
