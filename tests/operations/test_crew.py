"""Children that share work: all of it is done once, what they say and raise arrives, and none outlives its parent."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from icc_store.errors import BusyError, DamageError, Interrupted, WorkerKilled
from icc_store.model.repository import Repository
from icc_store.operations.crew import MAX_JOB, Crew, Job, Tell, Work, hire
from tests.support.live import within
from tests.support.processes import children


def squares(jobs: Iterator[Job], tell: Tell) -> int:
    """Say the square of each number, and return who said them."""
    for job in jobs:
        tell(job.what**2)
    return os.getpid()


def nothing(_said: Any) -> None:
    """Where nothing is told."""


def test_every_job_is_done_once() -> None:
    """By one of the children, and all have ended in the end."""
    heard: list[int] = []
    with within(30), Crew(3, squares, heard.append) as crew:
        assert all(crew.give(number) for number in range(500))
        crew.wait()
        assert sorted(heard) == [number**2 for number in range(500)]
        crew.give(1000)
        pids = crew.finish()
    assert max(heard) == 1_000_000
    assert len(set(pids)) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_nobody_is_forked_beside_threads(repository: Repository) -> None:
    """A child would have the locks of threads that it has not; once they have ended, there is a crew."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    try:
        assert hire(repository, 1, squares, nothing) is None
    finally:
        end.set()
        thread.join()
    crew = hire(repository, 1, squares, nothing)
    assert crew is not None
    with crew:
        assert crew.finish() != [os.getpid()]


def test_no_child_stays_when_the_repository_cannot_be_opened_again() -> None:
    """As when somebody else has it by then, and the wait for that is broken off."""

    class Taken:
        @contextmanager
        def closed(self) -> Iterator[None]:
            yield
            raise BusyError("somebody else has it")

    before = children()
    with within(30), pytest.raises(BusyError):
        hire(Taken(), 1, squares, nothing)
    assert children() == before


def test_more_is_told_than_pipes_hold() -> None:
    """Children that tell much and a parent that gives much do not wait for each other for ever."""
    heard: list[bytes] = []

    def tell_much(jobs: Iterator[Job], tell: Tell) -> None:
        for job in jobs:
            for _ in range(5):
                tell(job.what * 10)

    with within(60), Crew(2, tell_much, heard.append) as crew:
        for _ in range(20):
            assert crew.give(bytes(30_000))
        crew.finish()
    assert sum(map(len, heard)) == 20 * 5 * 10 * 30_000


def test_descriptors_travel_with_jobs(tmp_path: Path) -> None:
    """A child writes into the very file that its parent has opened."""

    def write(jobs: Iterator[Job], _tell: Tell) -> None:
        for job in jobs:
            for text, descriptor in zip(job.what, job.descriptors, strict=True):
                os.write(descriptor, text)
                os.close(descriptor)

    before = len(os.listdir("/proc/self/fd"))
    with within(30), Crew(2, write, nothing) as crew:
        for number in range(20):
            one, two = (os.open(tmp_path / f"{number}{end}", os.O_WRONLY | os.O_CREAT) for end in "ab")
            crew.give((b"one", b"two"), (one, two))
            os.close(one)
            os.close(two)
        crew.finish()
    assert {file.read_bytes() for file in tmp_path.glob("*a")} == {b"one"}
    assert {file.read_bytes() for file in tmp_path.glob("*b")} == {b"two"}
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_is_too_large_stays_with_the_parent() -> None:
    """It is told, so that the parent does it; others are done as ever."""
    heard: list[int] = []
    with within(30), Crew(1, squares, heard.append) as crew:
        assert not crew.give(bytes(MAX_JOB))
        assert crew.give(3)
        crew.finish()
    assert heard == [9]


def test_an_error_is_raised_by_the_parent() -> None:
    """With its class, its message and its advice; the other children end."""

    def fail(jobs: Iterator[Job], _tell: Tell) -> None:
        for _ in jobs:
            raise BusyError("busy", hint="wait")

    with within(30), Crew(2, fail, nothing) as crew:
        crew.give(1)
        with pytest.raises(BusyError, match="busy") as caught:
            crew.wait()
    assert caught.value.hint == "wait"
    assert no_children()


@pytest.mark.parametrize(
    ("number", "kind", "told"),
    [
        (signal.SIGKILL, WorkerKilled, "SIGKILL"),
        (signal.SIGTERM, Interrupted, "asked to stop"),
        (signal.SIGSEGV, DamageError, "SIGSEGV"),
    ],
)
def test_a_child_that_dies_is_noticed(number: int, kind: type[Exception], told: str) -> None:
    """Whoever kills it; a library that does so has met damage."""

    def die(jobs: Iterator[Job], _tell: Tell) -> None:
        for _ in jobs:
            signal.signal(signal.SIGSEGV, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    with within(30), Crew(2, die, nothing) as crew:
        crew.give(1)
        with pytest.raises(kind, match=told):
            crew.finish()
    assert no_children()


def test_children_end_with_what_the_parent_was_doing(tmp_path: Path) -> None:
    """Whatever ends that: they clean up behind themselves first, and a second signal does not disturb it."""

    def tidy(jobs: Iterator[Job], tell: Tell) -> None:
        for job in jobs:
            try:
                (tmp_path / job.what).touch()
                tell("begun")
                be_at_it()
            finally:
                os.kill(os.getpid(), signal.SIGINT)
                (tmp_path / job.what).unlink()

    def told(_said: str) -> None:
        if len(os.listdir(tmp_path)) == 2:
            raise KeyboardInterrupt

    with within(30), pytest.raises(KeyboardInterrupt):
        two_jobs(tidy, told)
    assert os.listdir(tmp_path) == []
    assert no_children()


def test_children_die_with_their_parent(tmp_path: Path) -> None:
    """Also when it is killed, so that nobody goes on writing behind the user's back."""

    def note_and_wait(jobs: Iterator[Job], tell: Tell) -> None:
        for _ in jobs:
            tell(os.getpid())
            be_at_it()

    def write_down(pid: int) -> None:
        (tmp_path / str(pid)).touch()
        if len(os.listdir(tmp_path)) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    parent = os.fork()
    if parent == 0:
        try:
            with Crew(2, note_and_wait, write_down) as crew:
                crew.give(1)
                crew.give(2)
                crew.wait()
        finally:
            os._exit(1)
    with within(30):
        assert os.WTERMSIG(os.waitpid(parent, 0)[1]) == signal.SIGKILL
        for pid in map(int, os.listdir(tmp_path)):
            while is_alive(pid):
                time.sleep(0.01)


def two_jobs(work: Work, hear: Callable[[Any], None]) -> None:
    """Two children with a job each."""
    with Crew(2, work, hear) as crew:
        crew.give("one")
        crew.give("two")
        crew.finish()


def be_at_it() -> None:
    """Go on for ever. Not in one sleep: a signal that comes just before that does not end it."""
    while True:
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def no_children() -> bool:
    """Whether this process has no child that it began here."""
    try:
        return os.waitpid(-1, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        return True


def test_what_is_said_without_being_asked() -> None:
    """It is taken in when somebody listens, waited for or not, until the children have ended."""
    heard: list[int] = []

    def count(_jobs: Iterator[Job], tell: Tell) -> None:
        for number in range(1000):
            tell(number)

    with within(30), Crew(1, count, heard.append) as crew:
        while crew.listen(wait=len(heard) % 2 == 0):
            pass
        assert not crew.listen(wait=True)
    assert heard == list(range(1000))


def test_listening_to_the_silent_waits_for_nobody() -> None:
    """Unless it is to wait."""

    def wait(_jobs: Iterator[Job], _tell: Tell) -> None:
        signal.pause()

    with within(30), Crew(1, wait, nothing) as crew:
        assert crew.listen(wait=False)
