"""What starts a program by the clock, seen from here: jobs with a name, written, listed and taken away."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from icc_store.errors import IccStoreError

_SECONDS = 30
"""What answers at all answers at once."""


@dataclass(frozen=True)
class Job:
    """One command, started every hour at a minute. `note` is text that comes back with the job when it is listed."""

    name: str
    title: str
    command: tuple[str, ...]
    minute: int
    note: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """One thing that is written or removed: where it stands, and its text."""

    where: str
    text: str


@dataclass(frozen=True)
class Listed:
    """A job as it was found. `active` is False when it stands there and nothing starts it."""

    name: str
    note: str
    where: str
    active: bool


class Timetable(Protocol):
    """A timer service of the machine, for this user."""

    title: str

    def available(self) -> bool:
        """Whether it is there and answers."""

    def listed(self) -> list[Listed]:
        """The jobs of ours in it. Raises IccStoreError when it answers wrongly."""

    def pieces(self, job: Job) -> list[Piece]:
        """What `install` writes. Raises UsageError for what it cannot express."""

    def holds(self, job: Job) -> bool:
        """Whether exactly this job is there already, and is started."""

    def install(self, job: Job) -> None:
        """Write the job, in place of one of the same name. Raises IccStoreError."""

    def remove(self, name: str) -> None:
        """Take a job away, and whatever was made for it. One that is not there is passed over."""


@dataclass(frozen=True)
class Answer:
    """What a program of the system said."""

    code: int
    out: bytes
    err: str


def ask(program: str, arguments: Sequence[str], environ: Mapping[str, str], given: bytes = b"") -> Answer:
    """Run a program of the system. Raises IccStoreError when it does not answer in time."""
    try:
        done = subprocess.run(
            [program, *arguments],
            input=given,
            env={**environ, "LC_ALL": "C"},
            capture_output=True,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise IccStoreError(f"{program} cannot be run: {error}") from error
    return Answer(done.returncode, done.stdout, done.stderr.decode("utf-8", "replace").strip())


def must(program: str, arguments: Sequence[str], environ: Mapping[str, str], given: bytes = b"") -> None:
    """The same, and it must succeed."""
    answer = ask(program, arguments, environ, given)
    if answer.code != 0:
        raise IccStoreError(f"`{program} {' '.join(arguments)}` failed: {answer.err or answer.code}")
