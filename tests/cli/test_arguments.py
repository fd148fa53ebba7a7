"""Arguments of every command: empty ones, sources by their directory, mistakes beside --json."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.live import fill
from tests.support.program import Program


@pytest.fixture
def run(tmp_path: Path) -> Program:
    """The program on a repository with a snapshot each of two directories."""
    program = Program(tmp_path / "repository")
    program.good("init")
    for name in ("one", "two"):
        fill(tmp_path / name, {"a": name.encode(), "b": b"2"})
        program.good("snapshot", tmp_path / name, "--name", f"the {name}")
    return program


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("restore", "the one", "--target", "", "--yes"), "--target"),
        (("restore", "the one", "--types", "", "--yes"), "--types"),
        (("restore", "", "--yes"), "SNAPSHOT"),
        (("forget", ""), "SNAPSHOTS"),
        (("show", ""), "SNAPSHOT"),
        (("snapshot", ""), "PATHS"),
        (("export", "the one", "--tar", ""), "--tar"),
        (("import", ""), "FILE"),
        (("list", "--source", ""), "--source"),
        (("list", "--repo", ""), "--repo"),
    ],
)
def test_an_empty_argument_is_refused(run: Program, arguments: tuple[str, ...], named: str) -> None:
    """It stands for a shell's variable that is not set, and must not be taken for something else."""
    done = run(*arguments)
    assert done.code == 2, done
    assert named in done.err
    assert "is a variable not set?" in done.err
    assert len(run.good("list", "--json").document["snapshots"]) == 2


def test_an_empty_note_removes_one(run: Program) -> None:
    """There it means something."""
    run.good("note", "the one", "words")
    run.good("note", "the one", "")
    assert run.good("show", "the one", "--json").document["snapshot"]["note"] == ""


def test_a_source_is_known_by_its_directory(run: Program, tmp_path: Path) -> None:
    """Nobody has to type the label of a machine."""
    shown = run.good("show", "latest", "--source", tmp_path / "one", "--json").document["snapshot"]
    assert shown["name"] == "the one"
    assert run("show", "latest", "--source", tmp_path / "three").code == 4


@pytest.mark.parametrize(
    "arguments", [("nope", "--json"), ("list", "--bogus", "--json"), ("list", "--last", "0", "--json")]
)
def test_a_mistake_beside_json_is_told_as_json(run: Program, arguments: tuple[str, ...]) -> None:
    """Wherever --json stands, and whatever could not be understood."""
    done = run(*arguments, "--json")
    assert done.code == 2
    assert done.document["error"]["class"] == "UsageError"


def test_what_is_gone_is_counted(run: Program, tmp_path: Path) -> None:
    """A snapshot says how many files are gone, and warns when it is most of them."""
    (tmp_path / "one" / "a").unlink()
    (tmp_path / "one" / "b").unlink()
    done = run("snapshot", tmp_path / "one")
    assert "0 unchanged; 2 fewer than before" in done.out
    assert "2 of 2 files of the last snapshot" in done.err
    assert done.code == 0
    assert "fewer" not in run.good("snapshot", tmp_path / "two").out


def test_a_memory_that_is_none_any_more_is_told(run: Program, tmp_path: Path) -> None:
    """Its `entities` may have been moved away by mistake."""
    fill(tmp_path / "memory", {"entities/Learning/x.json": b"{}", "a": b"", "b": b"", "c": b""})
    assert run("snapshot", tmp_path / "memory").code == 0
    (tmp_path / "memory" / "entities").rename(tmp_path / "elsewhere")
    assert "this was a memory (icc); now it is none" in run("snapshot", tmp_path / "memory").err


def test_an_import_has_no_say_about_retention(run: Program, tmp_path: Path) -> None:
    """Its settings may be broken; it goes by name only."""
    fill(tmp_path / "backup", {"entities/Learning/x.json": b"{}", "config/settings.json": b"{oops"})
    assert run("import", tmp_path / "backup").code in {0, 3}
    assert run("gc", "--dry-run").code == 0


def test_show_knows_the_manifest(run: Program, tmp_path: Path) -> None:
    """Entities, findings and the integrity hash of a memory; what a selective snapshot chose."""
    fill(tmp_path / "memory", {"entities/Learning/x.json": b"{}", "config/settings.json": b"{}"})
    run("snapshot", tmp_path / "memory", "--name", "whole")
    run("snapshot", tmp_path / "memory", "--name", "part", "--config-only")
    shown = run.good("show", "whole").out
    assert "1 Learning" in shown
    assert "sha256:" in shown
    assert "configuration" in run.good("show", "part").out
    manifest = run.good("show", "whole", "--json").document["snapshot"]["manifest"]
    assert manifest == run.good("manifest", "whole", "--json").document["manifest"]


def test_sources_are_told_apart_in_a_narrow_list(run: Program) -> None:
    """The machine, the same for all of them, is left out, and of a path the end is kept."""
    lines = run.good("list", COLUMNS="80").out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[1].split("  ")[-5:] != lines[2].split("  ")[-5:]
    assert "…" not in lines[1] or "/one" in lines[1]
