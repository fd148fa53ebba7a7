"""`icc-store watch` as a process: it stores what changes, survives what fails, and ends when it is told to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from icc_store.cli.commands.watch import DOCUMENT
from tests.cli.test_commands import fields_fit
from tests.support.live import fill, within
from tests.support.memories import MEMORY
from tests.support.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    made = Program(tmp_path / "store")
    made.good("init")
    return made


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    fill(tmp_path / "memory", MEMORY)
    return tmp_path / "memory"


def appear(memory: Path, name: str) -> None:
    """A file that is there whole or not at all, so that no look sees half of it."""
    (memory.parent / name).write_text("x")
    (memory.parent / name).rename(memory / name)


class Watching:
    """A watch that is under way."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def event(self) -> dict[str, object]:
        """The next event."""
        assert self.process.stdout is not None
        found: dict[str, object] = json.loads(self.process.stdout.readline())
        return found

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end. Gives the exit code."""
        os.kill(self.process.pid, number)
        return self.process.wait()


@contextmanager
def watching(program: Program, memory: Path, *options: str) -> Iterator[Watching]:
    """`watch --json-lines` in the body, settling at once."""
    at_once = ("--json-lines", "--settle", "0", "--at-most-every", "0", "--look-every", "0.05")
    command = program.command("watch", memory, *at_once, *options)
    with within(60), subprocess.Popen(command, env=program.environ, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Watching(process)
        finally:
            process.kill()


def test_changes_become_snapshots(program: Program, memory: Path) -> None:
    """Each event is printed as it happens, and names a snapshot that is there."""
    with watching(program, memory) as watch:
        first = watch.event()
        assert fields_fit(first, DOCUMENT["events"]) == []
        appear(memory, "new")
        second = watch.event()
        assert watch.stop() == 0
    assert [first["error"], second["error"]] == [None, None]
    listed = program.good("list", "--json").document["snapshots"]
    assert [one["id"] for one in listed][:2] == [first["id"], second["id"]]
    assert listed[1]["files"] == listed[0]["files"] + 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_end_stores_what_is_pending(program: Program, memory: Path, number: signal.Signals) -> None:
    """The watch ends with 0, and the change that had not settled is stored."""
    with watching(program, memory, "--settle", "1000") as watch:
        watch.event()
        appear(memory, "last")
        assert watch.stop(number) == 0
    assert program.good("cat", "latest", "last").out == "x"


def test_a_repository_that_fails_does_not_end_it(program: Program, memory: Path) -> None:
    """A repository that is not there for a while is an event with an error, and the watch goes on."""
    moved = program.repository.with_name("moved")
    with watching(program, memory) as watch:
        watch.event()
        program.repository.rename(moved)
        appear(memory, "new")
        failed = watch.event()
        assert isinstance(failed["error"], dict)
        assert failed["error"]["exit_code"] == 4
        assert failed["retry_seconds"] == 30
        assert watch.process.poll() is None
        moved.rename(program.repository)
        assert watch.stop() == 0
    assert program.good("cat", "latest", "new").out == "x"


def test_a_failure_at_the_end_is_its_exit_code(program: Program, memory: Path) -> None:
    """What is pending and could not be stored is not passed over in silence."""
    with watching(program, memory, "--settle", "1000") as watch:
        watch.event()
        appear(memory, "last")
        program.repository.rename(program.repository.with_name("moved"))
        assert watch.stop() == 4


def test_its_own_repository_is_no_change(memory: Path) -> None:
    """A repository within the memory, as the default one is, does not keep the watch busy with itself."""
    program = Program(memory / "backups/store")
    program.good("init")
    with watching(program, memory) as watch:
        watch.event()
        appear(memory, "new")
        watch.event()
        assert watch.stop() == 0
    assert len(program.good("list", "--json").document["snapshots"]) == 2


def test_a_path_that_is_no_directory_is_refused(program: Program, memory: Path) -> None:
    """Before anything is watched."""
    assert program("watch", memory / "nowhere").code == 1
    assert program("watch", memory, "--new-entities", "0").code == 2
