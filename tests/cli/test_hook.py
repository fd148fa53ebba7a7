"""`icc-store hook` as a caller meets it: the exit code decides."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from icc_store.cli.commands.hook import DOCUMENT, STEPS
from icc_store.cli.main import run
from icc_store.operations.hook import Step
from tests.cli.test_commands import fields_fit
from tests.support.live import fill
from tests.support.memories import MEMORY
from tests.support.ordinary import ordinarily
from tests.support.program import Program


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    fill(tmp_path / "memory", MEMORY)
    return tmp_path / "memory"


def test_every_step_has_its_name() -> None:
    """The command offers the steps that there are."""
    assert tuple(STEPS) == tuple(Step)


def test_the_caller_may_go_on(program: Program, memory: Path) -> None:
    """Exit code 0, a pinned snapshot of the step's name, and a document as described."""
    document = program.good("--json", "hook", "pre-migrate", memory).document
    assert document["safe"]
    assert document["snapshot"]["pinned"]
    assert document["snapshot"]["name"].startswith("pre-migrate-2")
    assert fields_fit({key: document[key] for key in document.keys() - {"schema", "command"}}, DOCUMENT) == []
    assert program.good("list", "--json").document["snapshots"][-1]["id"] == document["snapshot"]["id"]
    assert "safe to go on" in program.good("hook", "pre-reset", memory).out


def test_a_shell_goes_on_only_then(program: Program, memory: Path) -> None:
    """`hook && step` takes the step after a good hook, and not after a bad one."""
    for path, steps in ((memory, b"stepped\n"), (memory / "nowhere", b"")):
        command = " ".join(f"'{word}'" for word in program.command("--quiet", "hook", "pre-upgrade", path))
        shell = ["sh", "-c", f"{command} && echo stepped"]
        done = subprocess.run(shell, env=program.environ, capture_output=True, check=False)
        assert done.stdout == steps


def test_the_message_says_not_to_go_on(program: Program, tmp_path: Path) -> None:
    """An error of any kind keeps its exit code and begins with what it means to the caller."""
    done = program("hook", "pre-migrate", tmp_path / "nowhere")
    assert done.code == 1
    assert done.err.startswith("icc-store: do not go on: ")
    elsewhere = Program(tmp_path / "no-repository")
    assert elsewhere("hook", "pre-migrate", tmp_path).code == 4
    assert program("hook", "pre-breakfast", tmp_path).code == 2


def unreadable(place: Path) -> None:
    fill(place / "source", {"a": b"a", "secret": b"s"})
    (place / "source/secret").chmod(0)
    environ = {"HOME": str(place)}
    assert run(["--repo", str(place / "repository"), "init"], environ) == 0
    assert (
        run(["--repo", str(place / "repository"), "--json", "hook", "pre-migrate", str(place / "source")], environ) == 3
    )


def test_an_unreadable_file_is_exit_code_3() -> None:
    """The snapshot is there, but not all of the files: the caller must not go on."""
    ordinarily(unreadable)
