"""A failure that nobody expected leaves a report that says enough, and nothing that is nobody's business."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from icc_store.cli.main import run
from icc_store.clock import FixedClock
from icc_store.fs import file_store
from icc_store.operations.diagnostics import KEPT_REPORTS, Failure, write_report
from tests.support.program import Done

SECRET = "the-secret-in-the-file"
OTHER_SECRET = "the-secret-in-the-environment"
Run = Callable[..., Done]


@pytest.fixture
def program(tmp_path: Path) -> Run:
    """The program in this process, with an environment of its own."""
    (tmp_path / "source/d").mkdir(parents=True)
    for name in ("a", "d/b", "d/c"):
        (tmp_path / "source" / name).write_text(SECRET + name)
    environ = {
        "HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TOKEN": OTHER_SECRET,
        "ICC_STORE_REPO": str(tmp_path / "r"),
        "ICC_STORE_TOKEN": OTHER_SECRET,
    }

    def in_process(*arguments: object) -> Done:
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = run([str(argument) for argument in arguments], environ)
        return Done(code, out.getvalue(), err.getvalue())

    assert in_process("init").code == 0
    assert in_process("snapshot", tmp_path / "source", "--name", "before").code == 0
    return in_process


def break_at(monkeypatch: pytest.MonkeyPatch, problem: Callable[[bytes], BaseException]) -> None:
    """From now on the third file that is stored ends the run."""
    whole, calls = file_store.chunk_id, []

    def broken(data: bytes) -> Any:
        calls.append(data)
        if len(calls) >= 3:
            raise problem(data)
        return whole(data)

    monkeypatch.setattr(file_store, "chunk_id", broken)


def reports(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "state/icc-store/reports").glob("*"))


def test_what_a_report_says(program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Command, phase, last files, versions, settings, free space and where it ended; the message says where it is."""
    break_at(monkeypatch, ValueError)
    done = program("snapshot", tmp_path / "source", "--rehash")
    assert done.code == 1
    (report,) = reports(tmp_path)
    assert str(report) in done.err
    assert "what was stored stays" in done.err
    text = report.read_text()
    for said in (
        "command: snapshot",
        "phase: scan",
        "    d\n",
        "builtins.ValueError",
        "file_store.py:",
        "in _read",
        "Python 3.",
        "lmdb ",
        "free: ",
        "data.mdb: ",
        '"version": 1',
        "min_free_space_mb: '500 (default)'",
        f"ICC_STORE_REPO: '{tmp_path}/r'",
    ):
        assert said in text, said
    assert program("list").out.count("before") == 1
    monkeypatch.undo()
    assert program("snapshot", tmp_path / "source").code == 0


def test_what_a_report_does_not_say(program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No content of a file, no message that could quote one, and of the environment only what the program reads."""
    break_at(monkeypatch, lambda data: UnicodeDecodeError("utf-8", data, 0, 1, data.decode()))
    assert program("snapshot", tmp_path / "source", "--rehash", "--note", "private words").code == 1
    text = reports(tmp_path)[0].read_text()
    assert "UnicodeDecodeError" in text
    for secret in (SECRET, OTHER_SECRET, "TOKEN", "private words"):
        assert secret not in text


def test_nobody_else_may_read_it(program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the user's alone, and so is the directory, even one that was open before."""
    (tmp_path / "state/icc-store/reports").mkdir(parents=True, mode=0o777)
    break_at(monkeypatch, lambda data: RecursionError())
    program("snapshot", tmp_path / "source", "--rehash")
    (report,) = reports(tmp_path)
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    assert stat.S_IMODE(report.parent.stat().st_mode) == 0o700


def test_too_little_memory(program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That the machine could not do it is nothing a user has asked for; the report says where it was."""
    break_at(monkeypatch, lambda data: MemoryError())
    done = program("snapshot", tmp_path / "source", "--rehash")
    assert "not enough memory" in done.err
    assert "builtins.MemoryError" in reports(tmp_path)[0].read_text()


@pytest.mark.parametrize("arguments", [("show", "nothing"), ("show", "--what"), ("snapshot", "/does/not/exist")])
def test_what_is_expected_leaves_none(program: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A mistake in the arguments, or something that is not there, needs no report."""
    assert program(*arguments).code != 0
    assert reports(tmp_path) == []


def test_a_report_that_cannot_be_written(program: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What went wrong first is told all the same."""
    (tmp_path / "state/icc-store").mkdir(parents=True, exist_ok=True)
    (tmp_path / "state/icc-store/reports").write_text("in the way")
    break_at(monkeypatch, lambda data: ValueError("oops"))
    done = program("snapshot", tmp_path / "source", "--rehash")
    assert done.code == 1
    assert "internal error: ValueError (" in done.err


def test_a_directory_of_somebody_else(tmp_path: Path) -> None:
    """A report is not written through a symbolic link that somebody put in the directory's place."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "reports").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        write_report(tmp_path / "reports", Failure(ValueError()))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_old_reports_go(tmp_path: Path) -> None:
    """Only the newest ones stay, whatever their number; other files in the directory are left alone."""
    clock = FixedClock(1_790_000_000_000_000_000)
    (tmp_path / "notes.txt").write_text("mine")
    written = []
    for number in range(KEPT_REPORTS + 5):
        if number % 2:
            clock.sleep(3600)
        path = write_report(tmp_path, Failure(ValueError()), clock=clock)
        os.utime(path, ns=(number, number))
        written.append(path)
    assert set(tmp_path.iterdir()) == {*written[-KEPT_REPORTS:], tmp_path / "notes.txt"}


def test_a_chain_of_failures(tmp_path: Path) -> None:
    """An exception met while another was dealt with is told with it, and without end there is an end."""
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise OSError(24, "second") from error
    except OSError as error:
        text = write_report(tmp_path, Failure(error)).read_text()
    assert text.index("builtins.OSError EMFILE") < text.index("builtins.KeyError")
    assert "first" not in text.replace('raise KeyError("first")', "")
