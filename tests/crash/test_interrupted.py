"""Ctrl-C and polite requests to end, in the middle of a snapshot."""

from __future__ import annotations

import signal
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from icc_store.opening import create_repository, open_repository
from icc_store.operations.verify import verify
from tests.support.live import contents, on_disk
from tests.support.program import Program
from tests.support.shelf import noise

FILES = 1500
SIZE = 40_000


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """More than one transaction holds."""
    top = tmp_path_factory.mktemp("interrupted") / "source"
    for number in range(FILES):
        path = top / f"d{number % 20:02}" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(noise(number, SIZE))
    return top


def wait_for_batches(path: Path, process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Wait until a database has a few batches in it."""
    until = time.monotonic() + 30
    while (path / "data.mdb").stat().st_size < 10_000_000:
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.002)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_in_the_middle(tmp_path: Path, source: Path, number: signal.Signals) -> None:
    """The program ends with 130 and one line, the repository is in order, and the next run uses what was stored."""
    path = tmp_path / "r"
    create_repository(path)
    program = Program(path)
    command = program.command("--json", "snapshot", source)
    with subprocess.Popen(
        command, env=program.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for_batches(path, process)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "interrupted" in err
    assert "Traceback" not in err
    assert err.count("\n") == 1
    with open_repository(path, timeout=1.0) as repository:
        assert repository.snapshots() == []
        assert not verify(repository).damaged
    second = program.good("--json", "snapshot", source).document
    assert second["counters"]["files"] == FILES
    assert second["counters"]["added_plain"] < FILES * SIZE * 0.9
    with open_repository(path) as repository:
        assert contents(repository, repository.snapshots()[0]) == on_disk(source)
    assert list((path / "writers").iterdir()) == []


@pytest.mark.parametrize("arguments", [("snapshot", "--stdin", "--stdin-name", "dump"), ("import", "-")])
def test_interrupted_while_a_pipe_says_nothing(tmp_path: Path, arguments: Sequence[str]) -> None:
    """Who waits for what another program will say next hears Ctrl-C, however much has been said."""
    path = tmp_path / "r"
    create_repository(path)
    program = Program(path)
    member = tarfile.TarInfo("dump")
    member.size = 60_000_000
    said = noise(1, 30_000_000) if arguments[0] == "snapshot" else member.tobuf() + noise(1, 30_000_000)
    command = program.command(*arguments)
    with subprocess.Popen(
        command, env=program.environ, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write(said)
        process.stdin.flush()
        wait_for_batches(path, process)
        time.sleep(0.2)  # what has come is read
        process.send_signal(signal.SIGINT)
        try:
            code = process.wait(timeout=30)
        finally:
            process.kill()  # one that hears nothing
        assert process.stderr.read().startswith(b"icc-store: interrupted")
    assert code == 130
