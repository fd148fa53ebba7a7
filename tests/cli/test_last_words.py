"""A damaged page over which liblmdb ends the process: the user gets one line and the exit code of damage."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from icc_store.cli.context import Context
from icc_store.cli.last_words import last_words
from icc_store.model.record import Subject
from icc_store.opening import create_repository, open_repository
from tests.support import damage
from tests.support.forked import forked
from tests.support.live import fill, new_clock, snap

PAGE = 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A repository whose lists take several pages each."""
    create_repository(tmp_path / "r")
    fill(tmp_path / "source", {"a": b"1" * 500})
    with open_repository(tmp_path / "r", clock=new_clock()) as repository:
        made = snap(repository, tmp_path / "source")
        repository.annotate_all([(made.id, Subject.TAG, f"tag {number}") for number in range(200)])
    return tmp_path / "r"


@pytest.mark.parametrize("command", [("list",), ("copy", "second"), ("snapshot", "source")])
def test_whatever_page_is_lost(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """Each page in turn is zeros: no command dies of a signal, and whoever meets that says what to do."""
    monkeypatch.chdir(tmp_path)
    whole = {name: (path / name).read_bytes() for name in ("data.mdb", "head")}
    crashes = 0
    for page in damage.inner_pages(path / "data.mdb"):
        data = whole["data.mdb"]
        (path / "data.mdb").write_bytes(data[:page] + bytes(PAGE) + data[page + PAGE :])
        (path / "head").write_bytes(whole["head"])
        shutil.rmtree(tmp_path / "second", ignore_errors=True)
        done = forked(("--repo", "r", *command), {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, tmp_path)
        assert done.code in (0, 6), (page, done)
        assert done.code == 0 or "icc-store verify" in done.err, (page, done)
        crashes += "ended the program (SIG" in done.err
    assert crashes > 0


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS])
def test_a_child_dies_as_it_would_have(number: signal.Signals) -> None:
    """What is said here is for the process that has the repository open; another one's end is its parent's to tell."""
    with Context.of_process({}) as context, last_words(context):
        child = os.fork()
        if child == 0:
            os.kill(os.getpid(), number)
            os._exit(99)
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -number


def test_a_crash_is_told(tmp_path: Path) -> None:
    """A real crash in native code: one line, and the exit code of damage."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(tmp_path / "err", os.O_WRONLY | os.O_CREAT, 0o600), 2)
        sys.stderr = os.fdopen(2, "w")
        with Context.of_process({}) as context, last_words(context):
            ctypes.string_at(0)
        os._exit(99)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 6
    said = (tmp_path / "err").read_text()
    assert said.count("\n") == 1
    assert "a damaged page of the database ended the program (SIGSEGV) (run `icc-store verify`)" in said
