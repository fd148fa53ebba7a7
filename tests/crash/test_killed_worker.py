"""What somebody does to `verify` while its child reads: the child killed, the program asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icc_store.opening import create_repository, open_repository
from tests.support.live import fill, snap
from tests.support.program import Done, Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program with a repository of one snapshot."""
    create_repository(tmp_path / "r")
    fill(tmp_path / "source", {"a": b"1" * 500})
    with open_repository(tmp_path / "r") as repository:
        snap(repository, tmp_path / "source")
    return Program(tmp_path / "r")


@contextmanager
def verifying(program: Program) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A `verify` that has read all, and its child, which waits: nobody else may note what was verified meanwhile."""
    with (
        open_repository(program.repository) as other,
        other.store.write(),
        subprocess.Popen(
            program.command("verify"), env=program.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        assert "waiting for" in process.stderr.readline()
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        yield process, int(children.read_text().split()[0])


def ended(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=30)
    return Done(process.returncode, out, err)


def test_a_killed_child_is_no_damage(program: Program) -> None:
    """Whatever kills the reading process, as the system does when memory is short: it failed, and nobody stopped it."""
    with verifying(program) as (process, child):
        os.kill(child, signal.SIGKILL)
        done = ended(process)
    assert done.code == 1
    assert "was killed (SIGKILL)" in done.err
    assert "no sign of damage" in done.err
    assert "damage:" not in done.out
    assert program.good("verify").code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("whom", ["program", "child"])
def test_a_request_to_stop_is_a_stop(program: Program, number: signal.Signals, whom: str) -> None:
    """Ctrl-C and its like, to either process: exit code 130, one line, and nothing that looks like damage."""
    with verifying(program) as (process, child):
        os.kill(process.pid if whom == "program" else child, number)
        done = ended(process)
    assert done.code == 130
    assert "interrupted" in done.err
    assert done.err.count("\n") == 1
    assert "damage" not in done.out + done.err
