"""Restores that replace what a tool has: never without a copy, never by the memory of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.live import fill, on_disk
from tests.support.program import Program

CLAUDE = {
    "settings.json": b"{}",
    "CLAUDE.md": b"# rules\n",
    "projects/p/memory/MEMORY.md": b"---\ntype: user\n---\n",
    ".credentials.json": b"secret",
    "debug/log": b"noise",
}
MEMORY = {"entities/Learning/x.json": b"{}", "config/settings.json": b"{}"}


@pytest.fixture
def run(tmp_path: Path) -> Program:
    """The program on an empty repository, at home in a directory of its own."""
    program = Program(tmp_path / "repository")
    program.environ["HOME"] = str(tmp_path / "home")
    program.good("init")
    return program


def test_the_directory_of_a_tool_is_copied_first(run: Program, tmp_path: Path) -> None:
    """What was changed since comes back by rollback; what is no part of snapshots is not touched by either."""
    top = tmp_path / "claude"
    fill(top, CLAUDE)
    run("snapshot", top, "--name", "before")
    changed = CLAUDE | {"CLAUDE.md": b"# precious\n", "new.md": b"new", ".credentials.json": b"newer secret"}
    fill(top, changed)
    restored = run("restore", "before", "--yes")
    assert restored.code == 0, restored
    assert "safety copy" in restored.out
    assert on_disk(top) == changed | {"CLAUDE.md": CLAUDE["CLAUDE.md"]}
    assert run("rollback", top, "--yes").code == 0
    assert on_disk(top) == changed


def test_parts_of_it_are_restored_as_ever(run: Program, tmp_path: Path) -> None:
    """One file, back where it was."""
    top = tmp_path / "claude"
    fill(top, CLAUDE)
    run("snapshot", top, "--name", "before")
    fill(top, CLAUDE | {"CLAUDE.md": b"# other rules\n", "settings.json": b"{ }"})
    assert run("restore", "before", "CLAUDE.md", "--yes").code == 0
    assert on_disk(top) == CLAUDE | {"settings.json": b"{ }"}


def test_memory_restore_never_takes_the_memory_of_another(run: Program, tmp_path: Path) -> None:
    """Where there is no snapshot of this one, `latest` is none; another must be named."""
    mine, other = tmp_path / "home/.claude/memory", tmp_path / "other"
    fill(mine, MEMORY | {"mine": b"1"})
    fill(other, MEMORY | {"other": b"2"})
    run("snapshot", other, "--name", "of another")
    refused = run("memory-restore")
    assert refused.code == 4
    assert "there is no snapshot of" in refused.err
    assert on_disk(mine) == MEMORY | {"mine": b"1"}
    assert run("memory-restore", "of another").code == 0
    assert on_disk(mine) == MEMORY | {"other": b"2"}


def test_memory_restore_knows_its_own_among_others(run: Program, tmp_path: Path) -> None:
    """Also when a directory above was backed up into the same repository."""
    mine = tmp_path / "home/.claude/memory"
    fill(mine, MEMORY | {"mine": b"1"})
    run("snapshot", mine)
    run("snapshot", tmp_path / "home")
    (mine / "mine").unlink()
    assert run("memory-restore").code == 0
    assert on_disk(mine) == MEMORY | {"mine": b"1"}
