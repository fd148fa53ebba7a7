"""`icc-store schedule` and `icc-store run-due` as processes, on a machine with stand-ins for systemd and cron."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from icc_store.cli.commands.run_due import DOCUMENT as RUN_DUE
from icc_store.cli.commands.run_due import EVERY
from icc_store.cli.commands.schedule import DOCUMENT as SCHEDULE
from icc_store.cli.timetables import carried_environment
from icc_store.opening import DUE_LOCK
from icc_store.operations.schedule import Every
from tests.cli.test_commands import fields_fit
from tests.support.fake_timetables import FakeMachine
from tests.support.live import fill
from tests.support.memories import MEMORY
from tests.support.program import Program, finish


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine", cron=True)


@pytest.fixture
def program(tmp_path: Path, machine: FakeMachine) -> Program:
    made = Program(tmp_path / "store", machine.environ)
    made.good("init")
    return made


@pytest.fixture
def memory(machine: FakeMachine) -> Path:
    """The default memory of the machine."""
    fill(machine.home / ".claude/memory", MEMORY)
    return machine.home / ".claude/memory"


def test_how_often_is_said_as_it_is_meant() -> None:
    """The options offer what a schedule knows."""
    assert tuple(EVERY) == tuple(Every)


def test_install_show_remove(program: Program, machine: FakeMachine, memory: Path) -> None:
    """A schedule of the default memory goes in, is shown in full, and comes out again without a trace."""
    done = program.good("--json", "schedule", "install", "--daily", "22:30", "--drill", "never").document
    assert done["changes"][0]["changed"]
    assert not program.good("--json", "schedule", "install", "--daily", "22:30", "--drill", "never").document[
        "changes"
    ][0]["changed"]
    shown = program.good("--json", "schedule", "show").document
    assert fields_fit({key: shown[key] for key in SCHEDULE}, SCHEDULE) == []
    (one,) = shown["schedules"]
    assert (one["daily"], one["verify"], one["drill"], one["paths"]) == ("22:30", "weekly", "never", [str(memory)])
    assert one["repository"] == str(program.repository)
    assert "daily at 22:30" in program.good("schedule", "show").out
    assert "removed" in program.good("schedule", "remove").out
    assert not machine.crontab.exists()
    assert program("schedule", "remove").code == 4
    assert "nothing is scheduled" in program.good("schedule", "show").out


def test_what_is_installed_runs(program: Program, machine: FakeMachine, memory: Path) -> None:
    """The very line of the crontab, given to a shell with nothing in its environment, takes the snapshot."""
    program.good("schedule", "install")
    lines = [line for line in machine.crontab.read_text().splitlines() if not line.startswith("#")]
    assert [line[:10] for line in lines] == ["0 * * * * "]
    bare = {"HOME": str(machine.home), "PATH": "/usr/bin:/bin", "PYTHONPATH": program.environ["PYTHONPATH"]}
    for _ in range(2):
        done = finish(["/bin/sh", "-c", lines[0][10:]], bare)
        assert (done.code, done.out, done.err) == (0, "", "")
    (snapshot,) = program.good("list", "--json").document["snapshots"]
    assert snapshot["files"] == len(MEMORY)
    words = shlex.split(lines[0][10:])
    assert os.path.isabs(words[words.index("-m") - 1])


def test_a_dry_run_prints_what_would_be_written(program: Program, machine: FakeMachine, memory: Path) -> None:
    """Nothing is made, not even a repository."""
    other = Program(machine.home / "new", machine.environ)
    printed = other.good("schedule", "install", "--dry-run").out
    assert " run-due " in printed
    assert not machine.crontab.exists()
    assert not other.repository.exists()
    program.good("schedule", "install")
    before = machine.crontab.read_bytes()
    assert "would be removed" in program.good("schedule", "remove", "--dry-run").out
    assert machine.crontab.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("install", "--daily", "25:00"), 2),
        (("install", "nowhere"), 4),
        (("show", "path"), 2),
        (("show", "--dry-run"), 2),
        (("remove", "--verify", "daily"), 2),
    ],
)
def test_wrong_arguments(
    program: Program, machine: FakeMachine, memory: Path, arguments: tuple[str, ...], code: int
) -> None:
    """What does not fit is refused before anything is written."""
    assert program("schedule", *arguments).code == code
    assert not machine.crontab.exists()


def test_run_due_goes_by_what_is_installed(program: Program, machine: FakeMachine, tmp_path: Path) -> None:
    """Called by hand without a path, it takes care of what the schedule names."""
    fill(tmp_path / "notes", {"a": b"a"})
    program.good("schedule", "install", tmp_path / "notes", "--drill", "never")
    document = program.good("--json", "run-due").document
    assert fields_fit({key: document[key] for key in RUN_DUE}, RUN_DUE) == []
    chores = {one["chore"]: one for one in document["chores"]}
    assert chores["snapshot"]["about"] == str(tmp_path / "notes")
    assert chores["snapshot"]["due"]
    assert chores["drill"]["reason"] == "never"
    assert "not due" in program.good("run-due").out


def test_only_one_does_it(program: Program, memory: Path) -> None:
    """Of several processes at once one takes the snapshot; the others say who is at it, and end well."""
    runs = [
        subprocess.Popen(program.command("--json", "run-due"), env=program.environ, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    assert [run.wait() for run in runs if run.communicate()] == [0, 0, 0, 0]
    assert len(program.good("list", "--json").document["snapshots"]) == 1


def test_who_is_at_it_is_told(program: Program, memory: Path) -> None:
    """While the lock is held nothing is done, and that is no failure."""
    with open(program.repository / DUE_LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        document = program.good("--json", "run-due").document
        assert document["busy"]
        assert document["chores"] == []
        assert "nothing done" in program.good("run-due").out
    assert program.good("--json", "run-due").document["busy"] is None


def test_a_failure_is_the_end(program: Program, tmp_path: Path, memory: Path) -> None:
    """Every chore is told, and the exit code is that of what went wrong."""
    done = program("--json", "run-due", tmp_path / "nowhere", memory)
    assert done.code == 1
    assert [one["error"] is None for one in done.document["chores"][:2]] == [False, True]
    assert "nowhere" in done.err
    assert program("run-due", "--daily", "noon").code == 2


def test_what_a_timer_would_not_have_is_carried() -> None:
    """Variables that decide where settings are go with the job; the repository is said otherwise."""
    kept = {"XDG_CONFIG_HOME": "/c", "ICC_STORE_PARALLEL_THREADS": "2", "HOME": "/h"}
    assert carried_environment(kept | {"ICC_STORE_REPO": "/r", "LANG": "C", "XDG_CACHE_HOME": ""}) == kept
