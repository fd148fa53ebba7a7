"""Who hears what of an operation: a terminal, a program, a file."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess

from icc_store.cli.progress import JsonMonitor, ProgressMonitor, TerminalMonitor, make_monitor
from icc_store.cli.settings import Settings
from icc_store.clock import FixedClock
from tests.support.program import Program


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def settings(**given: object) -> Settings:
    made = Settings()
    for name, value in given.items():
        setattr(made, name, value)
    return made


def work(monitor: ProgressMonitor, clock: FixedClock, steps: int = 30) -> None:
    """What an operation does to its monitor."""
    monitor.phase("scan")
    for step in range(steps):
        clock.sleep(0.05)
        monitor.advance(1, 1000, b"dir/file-%d" % step)
    monitor.note("something to know")
    monitor.warning(b"bad", "cannot be read")
    monitor.waiting("pid 1")
    monitor.waiting("pid 1")
    monitor.finish()


def test_the_right_monitor_for_the_stream() -> None:
    """A terminal gets a line, a file only notes; JSON and silence when asked for."""
    clock = FixedClock(0)
    assert type(make_monitor(settings(), Terminal(), clock)) is TerminalMonitor
    assert type(make_monitor(settings(), io.StringIO(), clock)) is ProgressMonitor
    assert type(make_monitor(settings(progress="none"), Terminal(), clock)) is ProgressMonitor
    assert type(make_monitor(settings(quiet=True), Terminal(), clock)) is ProgressMonitor
    assert type(make_monitor(settings(progress="json"), io.StringIO(), clock)) is JsonMonitor


def test_a_file_gets_notes_only() -> None:
    """Without a terminal nothing is drawn; warnings come with -v, nothing with -q."""
    for given, expected in (
        ({}, ["something to know", "waiting for pid 1"]),
        ({"verbose": 1}, ["something to know", "bad: cannot be read", "waiting for pid 1"]),
        ({"quiet": True}, []),
    ):
        stream = io.StringIO()
        work(ProgressMonitor(settings(**given), stream), FixedClock(0))
        assert stream.getvalue().splitlines() == [f"icc-store: {line}" for line in expected]


def test_a_terminal_gets_one_line() -> None:
    """The line has phase, files, bytes, speed and path, is drawn some ten times a second, and is gone at the end."""
    clock, stream = FixedClock(0), Terminal()
    work(TerminalMonitor(settings(), stream, clock), clock)
    drawn = [part for part in stream.getvalue().split("\r\x1b[K") if part]
    assert 8 <= len(drawn) <= 15
    assert drawn[0].startswith("scan  ")
    assert "/s  dir/file-" in drawn[0]
    assert "files" in drawn[0]
    assert stream.getvalue().split("\r\x1b[K")[-1] == "".join(
        f"icc-store: {line}\n" for line in ("something to know", "waiting for pid 1")
    )


def test_a_quick_command_draws_nothing() -> None:
    """What is done within half a second needs no progress."""
    clock, stream = FixedClock(0), Terminal()
    monitor = TerminalMonitor(settings(), stream, clock)
    monitor.phase("scan")
    for _ in range(9):
        clock.sleep(0.05)
        monitor.advance(1, 1, b"x")
    monitor.finish()
    assert stream.getvalue() == ""


def test_programs_get_json_lines() -> None:
    """Every line of --progress=json is an object with an event; the last progress has the whole count."""
    clock, stream = FixedClock(0), io.StringIO()
    work(JsonMonitor(settings(), stream, clock), clock)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    kinds = [one["event"] for one in events]
    assert kinds[0] == "phase"
    assert {"note", "warning", "waiting", "progress"} <= set(kinds)
    assert kinds.count("waiting") == 1
    progress = [one for one in events if one["event"] == "progress"]
    assert 8 <= len(progress) <= 17
    assert (progress[-1]["files"], progress[-1]["bytes"], progress[-1]["phase"]) == (30, 30_000, "scan")
    assert progress[-1]["path"] == "dir/file-29"


def test_on_a_real_terminal(look: Program) -> None:
    """On a terminal the results are the same, tables fit it, and no drawing is left behind."""
    terminal, end = pty.openpty()
    with subprocess.Popen(look.command("list"), env=look.environ | {"COLUMNS": ""}, stdout=end) as process:
        os.close(end)
        seen = b""
        try:
            while piece := os.read(terminal, 65536):
                seen += piece
        except OSError:
            pass  # the other end has gone
        assert process.wait() == 0
    os.close(terminal)
    lines = seen.decode().splitlines()
    assert len(lines) == 4
    assert "\x1b" not in seen.decode()
    assert max(map(len, lines)) <= 80
