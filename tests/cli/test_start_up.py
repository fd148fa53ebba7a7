"""What is loaded when: hooks run the program at every turn of an agent, so a start must stay cheap."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support.program import Program, finish

LATER = {
    "pathspec",
    "tomllib",
    "difflib",
    "tarfile",
    "sqlite3",
    "_strptime",
    "unicodedata",
    "concurrent.futures",
    "pyfastcdc",
    "socket",
    "email",
}
"""Loaded only by the command, or for the case, that needs them."""

ENGINE = {"lmdb", "zstandard", "msgpack", "blake3", "pyfastcdc", "json", "concurrent.futures", "asyncio"}
"""Loaded by a command that opens a repository, and by no help."""

REPORT = """
import os, sys
from icc_store.cli.main import run
code = run(sys.argv[1:], os.environ)
print(" ".join(sys.modules), file=sys.stderr)
sys.exit(code)
"""


def loaded(program: Program, *arguments: str) -> set[str]:
    """The modules that a process has loaded when it ends."""
    done = finish([sys.executable, "-c", REPORT, "--repo", str(program.repository), *arguments], program.environ)
    assert done.code == 0, done
    return set(done.err.split())


def test_help_loads_no_engine(look: Program) -> None:
    """`--help` and `--version` load click and the names of the commands, and nothing that works on repositories."""
    for arguments in (["--help"], ["--version"]):
        modules = loaded(look, *arguments)
        assert modules & (LATER | ENGINE) == set()
        ours = {name for name in modules if name.startswith("icc_store.") and not name.startswith("icc_store.cli.")}
        layers = {name.split(".")[1] for name in ours}
        assert not layers & {"codec", "store", "objects", "operations", "fs", "opening"}, sorted(ours)
        assert not [name for name in modules if name.startswith("icc_store.cli.commands.")]


def test_a_command_loads_itself_alone(look: Program) -> None:
    """Running one command does not import the others."""
    modules = loaded(look, "list")
    assert {name for name in modules if name.startswith("icc_store.cli.commands.")} == {"icc_store.cli.commands.list"}
    assert modules & LATER == set()


def test_an_unchanged_snapshot_loads_little(program: Program, tmp_path: Path) -> None:
    """A small snapshot in which nothing changed loads no patterns, no tables, no tar and no SQLite."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.md").write_text("a")
    program.good("snapshot", tmp_path / "notes")
    modules = loaded(program, "snapshot", str(tmp_path / "notes"))
    assert modules & LATER == set()
    assert "icc_store.cli.table" not in modules
