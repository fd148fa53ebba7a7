"""What `icc-store gc` does to the file: it gives back what is free, unless somebody has the repository open."""

from __future__ import annotations

from pathlib import Path

from icc_store.opening import open_repository
from tests.support.program import Program
from tests.support.shelf import noise


def test_the_file_is_shrunk_when_nobody_else_has_it_open(program: Program, tmp_path: Path) -> None:
    """Of a file of which most becomes free, gc gives that back to the disk, and says so; if it is open, next time."""
    file = tmp_path / "repository" / "data.mdb"
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "large").write_bytes(noise(1, 900_000))
    program.good("snapshot", str(notes))
    (notes / "large").write_bytes(b"small")
    program.good("snapshot", str(notes))
    with open_repository(tmp_path / "repository", readonly=True):
        done = program.good("gc", "--keep-last", "1", "--now", "--json").document
    assert done["given_back"] == 0
    assert done["reusable"] > 800_000
    before = file.stat().st_size
    done = program.good("gc", "--json").document
    assert done["given_back"] == before - file.stat().st_size > 800_000
    assert done["reusable"] == 0
    assert "0 B given back" in program.good("gc").out
