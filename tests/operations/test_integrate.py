"""Slash commands are put among those of an agent and taken away; what somebody else wrote stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.errors import TargetError
from icc_store.operations.integrate import Action, Integration, integrate, marked, plan_integration

COMMANDS = {"b.md": b"run b\n", "a.md": b"run a"}


def run(directory: Path, commands: dict[str, bytes] = COMMANDS, **options: bool) -> list[tuple[str, Action]]:
    """Plan, do, and say what was planned."""
    plan = plan_integration(commands, directory, **options)
    integrate(plan)
    return said(plan)


def said(plan: Integration) -> list[tuple[str, Action]]:
    return [(step.path.name, step.action) for step in plan.steps]


def test_installed_kept_updated_removed(tmp_path: Path) -> None:
    """A missing directory is made; a second run changes nothing; a new version replaces; removal leaves nothing."""
    directory = tmp_path / "missing" / "commands"
    assert run(directory) == [("a.md", Action.INSTALL), ("b.md", Action.INSTALL)]
    assert (directory / "a.md").read_bytes() == marked(b"run a")
    times = (directory / "a.md").stat().st_mtime_ns
    assert run(directory) == [("a.md", Action.KEEP), ("b.md", Action.KEEP)]
    assert (directory / "a.md").stat().st_mtime_ns == times
    assert run(directory, COMMANDS | {"b.md": b"run b better"}) == [("a.md", Action.KEEP), ("b.md", Action.UPDATE)]
    assert (directory / "b.md").read_bytes().startswith(b"run b better\n")
    (directory / "mine.md").write_text("mine")
    assert run(directory, remove=True) == [("a.md", Action.REMOVE), ("b.md", Action.REMOVE)]
    assert os.listdir(directory) == ["mine.md"]
    assert run(directory, remove=True) == [("a.md", Action.KEEP), ("b.md", Action.KEEP)]


@pytest.mark.parametrize("change", [lambda data: data + b"x", lambda data: b"x" + data, lambda data: data[:-9]])
def test_a_changed_file_stays(tmp_path: Path, change: object) -> None:
    """Above, below or in the mark: a change is seen, and nothing is done about the file until it is forced."""
    run(tmp_path)
    mine = change(marked(b"run a"))  # type: ignore[operator]
    (tmp_path / "a.md").write_bytes(mine)
    assert run(tmp_path) == [("a.md", Action.REFUSE), ("b.md", Action.KEEP)]
    assert run(tmp_path, remove=True) == [("a.md", Action.REFUSE), ("b.md", Action.REMOVE)]
    assert (tmp_path / "a.md").read_bytes() == mine
    assert run(tmp_path, force=True) == [("a.md", Action.REPLACE), ("b.md", Action.INSTALL)]
    (tmp_path / "a.md").write_bytes(mine)
    assert run(tmp_path, remove=True, force=True) == [("a.md", Action.REMOVE), ("b.md", Action.REMOVE)]


def test_a_file_of_somebody_else_is_never_removed(tmp_path: Path) -> None:
    """It is replaced when that is forced, and never taken away."""
    (tmp_path / "a.md").write_text("my own command")
    assert run(tmp_path)[0] == ("a.md", Action.REFUSE)
    assert run(tmp_path, remove=True, force=True)[0] == ("a.md", Action.REFUSE)
    assert (tmp_path / "a.md").read_text() == "my own command"
    assert run(tmp_path, force=True)[0] == ("a.md", Action.REPLACE)


def test_a_link_is_not_ours(tmp_path: Path) -> None:
    """Also when it leads to a file that we would have installed: who keeps his files elsewhere decides himself."""
    (tmp_path / "elsewhere.md").write_bytes(marked(b"run a"))
    (tmp_path / "a.md").symlink_to("elsewhere.md")
    assert run(tmp_path, remove=True)[0] == ("a.md", Action.REFUSE)
    assert run(tmp_path, COMMANDS | {"a.md": b"new"})[0] == ("a.md", Action.REFUSE)
    assert (tmp_path / "elsewhere.md").read_bytes() == marked(b"run a")


def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    """The real run does what the plan says."""
    plan = plan_integration(COMMANDS, tmp_path / "commands")
    assert not (tmp_path / "commands").exists()
    assert plan.refused == ()
    integrate(plan)
    assert sorted(os.listdir(tmp_path / "commands")) == ["a.md", "b.md"]


def test_a_place_that_cannot_be_used(tmp_path: Path) -> None:
    """A file where the directory should be is named in the error."""
    (tmp_path / "commands").write_text("a file")
    with pytest.raises(TargetError, match="commands"):
        run(tmp_path / "commands")
