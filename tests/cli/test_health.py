"""`icc-store health` as a monitor meets it: exit codes, JSON, commands that can be typed."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from icc_store.cli.commands.health import DOCUMENT
from icc_store.clock import SYSTEM_CLOCK, FixedClock
from icc_store.opening import open_repository
from tests.cli.test_commands import fields_fit
from tests.support.fake_timetables import FakeMachine
from tests.support.live import DAY, fill, snap
from tests.support.program import Program, finish
from tests.support.restoring import FILES


@pytest.fixture
def machine(tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path / "machine", cron=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def program(tmp_path: Path, machine: FakeMachine) -> Program:
    made = Program(tmp_path / "store", machine.environ)
    made.good("init")
    return made


def test_attention_is_exit_code_7(program: Program, source: Path) -> None:
    """A repository on the disk of its source needs a copy; all of that is in the document."""
    program.good("snapshot", source)
    done = program("--json", "health")
    assert done.code == 7
    document = done.document
    assert document["level"] == "warning"
    assert fields_fit({key: document[key] for key in DOCUMENT}, DOCUMENT) == []
    assert document["signs"][0]["advice"][:4] == ["icc-store", "--repo", str(program.repository), "copy"]
    assert "warning" in done.err


def test_critical_is_exit_code_8(program: Program, source: Path) -> None:
    """A snapshot of last month is worse; the command it advises makes it better."""
    with open_repository(program.repository, clock=FixedClock(SYSTEM_CLOCK.now_ns() - int(30 * DAY) * 10**9)) as opened:
        snap(opened, source, host="")
    done = program("health")
    assert done.code == 8
    line = next(line for line in done.out.splitlines() if " snapshot " in line and line.startswith(" " * 20))
    words = shlex.split(line)
    assert words == ["icc-store", "--repo", str(program.repository), "snapshot", str(source)]
    assert finish([*program.command(*words[3:]), "--source", "home"], program.environ).code == 0
    assert program("health").code == 7
    assert program("--quiet", "health").out == ""
    assert program("health", "--source", "nobody").code == 4


def test_an_empty_repository_is_critical(program: Program) -> None:
    """Where nothing is backed up, nothing is well."""
    assert program("health").code == 8


def test_all_well_is_exit_code_0(program: Program, source: Path, machine: FakeMachine, tmp_path: Path) -> None:
    """Young, on another file system, scheduled: nothing is said on stderr."""
    elsewhere = Path("/dev/shm")
    if elsewhere.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system to be had")
    program.good("snapshot", source)
    program.good("schedule", "install", source)
    copy = elsewhere / f"icc-store-{tmp_path.name}-{id(program)}"
    try:
        program.good("copy", copy)
        done = program.good("--json", "health").document
        assert done["level"] == "ok"
        assert done["copies"][0]["elsewhere"]
        assert {sign["message"] for sign in done["signs"] if sign["subject"] == "schedule"} == {"daily at 03:00"}
        assert "ok " in program.good("health").out
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def test_a_crontab_that_cannot_be_read_is_no_end(program: Program, source: Path, machine: FakeMachine) -> None:
    """Whether there is a schedule is then not known; the rest is."""
    program.good("snapshot", source)
    (machine.state / "crontab-refuses").touch()
    done = program("health")
    assert done.code == 7
    assert "cannot be found out" in done.err
