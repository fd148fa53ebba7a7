"""A schedule is written where the machine starts programs by the clock, exactly once, and goes without a trace."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from icc_store.errors import IccStoreError, UsageError
from icc_store.fs.crontab import Crontab
from icc_store.fs.systemd_timers import SystemdTimers
from icc_store.fs.timetable import Timetable
from icc_store.operations.schedule import (
    Every,
    Schedule,
    TimeOfDay,
    install,
    installed,
    installed_for,
    parse_time,
    remove,
)
from tests.support.fake_timetables import FakeMachine

PROGRAM = ("/opt/icc store/bin/icc-store",)
FOREIGN = b"# my own\n*/5 * * * * fetchmail -s\n\n@reboot sleep 5"


def timetables(machine: FakeMachine) -> list[Timetable]:
    return [SystemdTimers(machine.units, machine.environ), Crontab(machine.environ)]


@pytest.fixture(params=["systemd", "cron"])
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> FakeMachine:
    return FakeMachine(tmp_path, systemd=request.param == "systemd", cron=True)


@pytest.fixture
def schedule(tmp_path: Path) -> Schedule:
    return Schedule(tmp_path / "store", (tmp_path / "a", tmp_path / "b c"), TimeOfDay(22, 30), Every.DAILY, Every.NEVER)


def everything(machine: FakeMachine) -> dict[str, bytes]:
    """Every file and link there is, but for the record of calls."""
    found = {}
    for top in (machine.home, machine.state):
        for path in sorted(top.rglob("*")):
            if path.is_file() and path.name != "systemctl.log":
                found[str(path)] = path.read_bytes()
    return found


def test_what_is_installed_is_read_back(machine: FakeMachine, schedule: Schedule) -> None:
    """Every part of a schedule survives, with the program and where it stands."""
    tables = timetables(machine)
    assert install(tables, schedule, PROGRAM, environment={}).changed
    (found,) = installed(tables)
    assert found.schedule == schedule
    assert (found.program, found.active, found.name) == (PROGRAM, True, schedule.name)
    assert installed_for(tables, schedule.repository) == found
    assert installed_for(tables, schedule.repository / "other") is None


def test_installing_twice_changes_nothing(machine: FakeMachine, schedule: Schedule) -> None:
    """The second time is told as such, and every file is as the first one left it."""
    tables = timetables(machine)
    install(tables, schedule, PROGRAM, environment={})
    before = everything(machine)
    assert not install(tables, schedule, PROGRAM, environment={}).changed
    assert everything(machine) == before


def test_another_schedule_takes_its_place(machine: FakeMachine, schedule: Schedule) -> None:
    """A repository has one schedule; those of others stay."""
    tables = timetables(machine)
    other = Schedule(schedule.repository / "other", schedule.paths)
    install(tables, other, PROGRAM, environment={})
    install(tables, schedule, PROGRAM, environment={})
    later = Schedule(schedule.repository, schedule.paths[:1], TimeOfDay(4, 5))
    install(tables, later, PROGRAM, environment={})
    assert {one.schedule for one in installed(tables)} == {other, later}


def test_removing_leaves_nothing(machine: FakeMachine, schedule: Schedule) -> None:
    """Files, links and marks are gone, and the crontab that held nothing else too."""
    tables = timetables(machine)
    before = everything(machine)
    install(tables, schedule, PROGRAM, environment={})
    assert len(remove(tables, schedule.repository)) == 1
    assert everything(machine) == before
    assert installed(tables) == []
    assert remove(tables, schedule.repository) == []


def test_a_dry_run_writes_nothing(machine: FakeMachine, schedule: Schedule) -> None:
    """It says what the real run writes, to the byte."""
    tables = timetables(machine)
    before = everything(machine)
    planned = install(tables, schedule, PROGRAM, environment={}, dry_run=True)
    assert everything(machine) == before
    assert install(tables, schedule, PROGRAM, environment={}) == planned
    written = b"".join(everything(machine).values())
    assert all(piece.text.encode() in written for piece in planned.pieces)
    between = everything(machine)
    assert remove(tables, schedule.repository, dry_run=True)
    assert everything(machine) == between


def test_foreign_lines_stay(tmp_path: Path, schedule: Schedule) -> None:
    """Not a byte of what somebody else has in the crontab changes, whatever is installed, replaced and removed."""
    machine = FakeMachine(tmp_path, cron=True)
    machine.crontab.write_bytes(FOREIGN + b"\n")
    tables = timetables(machine)
    install(tables, schedule, PROGRAM, environment={})
    machine.crontab.write_bytes(machine.crontab.read_bytes() + b"# after\n")
    install(tables, Schedule(schedule.repository, schedule.paths), PROGRAM, environment={})
    text = machine.crontab.read_bytes()
    assert text.startswith(FOREIGN + b"\n# >>> icc-store-")
    assert text.endswith(b" <<<\n# after\n")
    remove(tables, schedule.repository)
    assert machine.crontab.read_bytes() == FOREIGN + b"\n# after\n"


def test_a_crontab_without_a_last_newline_gets_one(tmp_path: Path, schedule: Schedule) -> None:
    """Our lines never stand on somebody else's line."""
    machine = FakeMachine(tmp_path, cron=True)
    machine.crontab.write_bytes(FOREIGN)
    install(timetables(machine), schedule, PROGRAM, environment={})
    assert machine.crontab.read_bytes().startswith(FOREIGN + b"\n# >>> ")


def test_a_crontab_that_cannot_be_read_is_not_written(tmp_path: Path, schedule: Schedule) -> None:
    """An answer that is not understood is not taken for an empty crontab."""
    machine = FakeMachine(tmp_path, cron=True)
    machine.crontab.write_bytes(FOREIGN)
    (machine.state / "crontab-refuses").touch()
    with pytest.raises(IccStoreError, match="may not use"):
        install(timetables(machine), schedule, PROGRAM, environment={})
    assert machine.crontab.read_bytes() == FOREIGN


def test_without_either_it_is_an_error(tmp_path: Path, schedule: Schedule) -> None:
    """A machine without systemd and cron is told what to start by other means."""
    with pytest.raises(IccStoreError, match="neither") as caught:
        install(timetables(FakeMachine(tmp_path)), schedule, PROGRAM, environment={})
    assert "run-due" in str(caught.value)


def test_systemd_that_does_not_answer_is_passed_over(tmp_path: Path, schedule: Schedule) -> None:
    """In a container `systemctl` is there and nobody behind it: then it is the crontab."""
    machine = FakeMachine(tmp_path, cron=True)
    machine.add("systemctl", "#!/bin/sh\nexit 1\n")
    assert install(timetables(machine), schedule, PROGRAM, environment={}).timetable == "crontab"


def test_a_job_moves_to_the_better_timetable(tmp_path: Path, schedule: Schedule) -> None:
    """When systemd answers now and did not before, the lines of the crontab go, so that nothing runs twice."""
    machine = FakeMachine(tmp_path, cron=True)
    install(timetables(machine), schedule, PROGRAM, environment={})
    assert machine.crontab.exists()
    FakeMachine(tmp_path / "again", systemd=True)
    machine.add("systemctl", (tmp_path / "again/bin/systemctl").read_text())
    assert install(timetables(machine), schedule, PROGRAM, environment={}).changed
    assert not machine.crontab.exists()
    assert [one.timetable for one in installed(timetables(machine))] == ["systemd user timer"]


def test_a_timer_that_was_stopped_is_started_again(tmp_path: Path, schedule: Schedule) -> None:
    """Units that stand there and do nothing are told as not active, and installing mends that."""
    machine = FakeMachine(tmp_path, systemd=True)
    tables = timetables(machine)
    install(tables, schedule, PROGRAM, environment={})
    (machine.state / f"active-{schedule.name}.timer").unlink()
    assert not installed(tables)[0].active
    assert install(tables, schedule, PROGRAM, environment={}).changed
    assert installed(tables)[0].active


def test_what_was_changed_by_hand_is_shown_and_mended(machine: FakeMachine, schedule: Schedule) -> None:
    """A note that cannot be read back is no schedule; it can be replaced and removed all the same."""
    tables = timetables(machine)
    install(tables, schedule, PROGRAM, environment={})
    for path in (machine.units / f"{schedule.name}.timer", machine.crontab):
        if path.exists():
            path.write_text(path.read_text().replace('"daily": "22:30"', '"daily": "soon"'))
    assert [one.schedule for one in installed(tables)] == [None]
    assert install(tables, schedule, PROGRAM, environment={}).changed
    assert installed(tables)[0].schedule == schedule


ODD = ("plain", "with space", "per%cent", "it's", 'quo"te', "dol$lar", "back\\slash", "back\\%both", "umläut", "~tilde")


@pytest.mark.parametrize(
    "note",
    [
        *("", "{", "[]", "7", "null", '"x"', "[" * 50_000, "9" * 5000),
        *('{"repository": 7}', '{"repository": "/r", "paths": 7}', '{"repository": "/r", "paths": [[]]}'),
        '{"repository": "/r", "paths": [], "daily": "25:00", "verify": "daily", "drill": "daily", "program": []}',
        '{"repository": "/r", "paths": [], "daily": 7, "verify": "daily", "drill": "daily", "program": []}',
        '{"repository": "/r", "paths": [], "daily": "23:00", "verify": [], "drill": {}, "program": []}',
        '{"repository": "/r", "paths": [], "daily": "23:00", "verify": "daily", "drill": "daily", "program": null}',
    ],
    ids=lambda note: note[:60],
)
def test_a_note_that_is_none(tmp_path: Path, note: str) -> None:
    """A job whose note says anything at all is listed as one that cannot be understood."""
    machine = FakeMachine(tmp_path, cron=True)
    lines = f"# >>> icc-store-0123 >>> {note}\n0 * * * * true\n# <<< icc-store-0123 <<<\n"
    (machine.state / "crontab").write_text(lines)
    (found,) = installed(timetables(machine))
    assert (found.name, found.schedule) == ("icc-store-0123", None)


def test_the_shell_reads_a_line_as_it_was_meant(tmp_path: Path) -> None:
    """Whatever a path holds, cron's reading of the line and then the shell's give the very words."""
    schedule = Schedule(tmp_path / "st%ore", tuple(tmp_path / name for name in ODD))
    machine = FakeMachine(tmp_path, cron=True)
    for number, name in enumerate(ODD):
        one = Schedule(schedule.repository, (tmp_path / name,))
        install(timetables(machine), one, PROGRAM, environment={"XDG_CONFIG_HOME": f"/a b/{number}%"})
        line = next(line for line in machine.crontab.read_text().splitlines() if line.startswith("0 * * * * "))
        words = shlex.split(as_cron_reads_it(line.removeprefix("0 * * * * ")))
        assert words == ["env", f"XDG_CONFIG_HOME=/a b/{number}%", *PROGRAM, *one.arguments()]


def as_cron_reads_it(command: str) -> str:
    """A command as cron gives it to the shell: a backslash keeps `%` and goes; a bare `%` would be its end."""
    read, escaped = "", False
    for character in command:
        if character == "%" and not escaped:
            raise AssertionError("the command ends here")
        if character == "%":
            read = read[:-1]
        read += character
        escaped = character == "\\" and not escaped
    return read


@pytest.mark.parametrize("name", ["line\nbreak", "bell\x07", os.fsdecode(b"not utf-8 \xff")])
def test_what_a_line_cannot_hold_is_refused(machine: FakeMachine, tmp_path: Path, name: str) -> None:
    """A path that would break the line is refused before anything is written."""
    before = everything(machine)
    with pytest.raises(UsageError):
        install(timetables(machine), Schedule(tmp_path, (tmp_path / name,)), PROGRAM, environment={})
    assert everything(machine) == before


def test_a_line_that_would_be_cut_off_is_refused(tmp_path: Path) -> None:
    """Some crons read no more than a thousand characters of a line."""
    machine = FakeMachine(tmp_path, cron=True)
    with pytest.raises(UsageError):
        install(timetables(machine), Schedule(tmp_path, (tmp_path / ("x" * 1000),)), PROGRAM, environment={})
    assert not machine.crontab.exists()


def test_units_say_what_is_started(tmp_path: Path) -> None:
    """The service runs the absolute program on the repository; the timer comes every hour, late if need be."""
    machine = FakeMachine(tmp_path, systemd=True)
    schedule = Schedule(Path("/data/st%ore"), (Path('/a "b" $c\\d'),), TimeOfDay(3, 7))
    install(timetables(machine), schedule, PROGRAM, environment={"XDG_CONFIG_HOME": "/c d"})
    service = (machine.units / f"{schedule.name}.service").read_text()
    timer = (machine.units / f"{schedule.name}.timer").read_text()
    assert 'Environment="XDG_CONFIG_HOME=/c d"\n' in service
    assert (
        'ExecStart="/opt/icc store/bin/icc-store" "--repo" "/data/st%%ore" "--quiet" "run-due" "--daily" "03:07" '
        '"--verify" "weekly" "--drill" "monthly" "--" "/a \\"b\\" $$c\\\\d"\n'
    ) in service
    assert "OnCalendar=*-*-* *:07:00\n" in timer
    assert "Persistent=true\n" in timer
    assert "WantedBy=timers.target\n" in timer
    log = (machine.state / "systemctl.log").read_text()
    assert f"enable {schedule.name}.timer" in log
    assert "daemon-reload" in log


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """systemd's own check finds nothing wrong with them, odd names and all."""
    machine = FakeMachine(tmp_path, systemd=True)
    program = tmp_path / "odd $ %/icc-store"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    schedule = Schedule(tmp_path, tuple(tmp_path / name for name in ODD))
    install(timetables(machine), schedule, [str(program)], environment={"XDG_CONFIG_HOME": "/a b"})
    units = [machine.units / f"{schedule.name}.{kind}" for kind in ("service", "timer")]
    broken = machine.units / "broken.service"
    broken.write_text(units[0].read_text().replace('ExecStart="', 'ExecStart="nowhere'))
    said = complaints([*units, broken], tmp_path)
    assert said
    assert all(broken.name in line for line in said)


def complaints(units: list[Path], runtime: Path) -> list[str]:
    """What systemd has to say about units."""
    done = subprocess.run(
        ["systemd-analyze", "--user", "--man=no", "verify", *map(str, units)],
        env=dict(os.environ) | {"XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        check=False,
        text=True,
    )
    return [line for line in done.stderr.splitlines() if any(unit.name in line for unit in units)]


@pytest.mark.parametrize(("text", "time"), [("03:00", TimeOfDay(3, 0)), ("3:05", TimeOfDay(3, 5)), ("23:59", None)])
def test_times_of_day(text: str, time: TimeOfDay | None) -> None:
    """An hour and a minute, as clocks show them."""
    assert parse_time(text) == (time or TimeOfDay(23, 59))
    assert len(str(parse_time(text))) == 5


@pytest.mark.parametrize("text", ["", "24:00", "3", "03:60", "03:00:00", "noon", "-1:00"])
def test_what_is_no_time_of_day_is_refused(text: str) -> None:
    """Anything else is a wrong argument."""
    with pytest.raises(UsageError):
        parse_time(text)
