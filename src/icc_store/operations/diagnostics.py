"""A report on a failure that nobody expected, for whoever is to find out why.

It holds what tells machines and versions apart, how far the run had come, and where in the program it ended. It holds
no content of a file, no message of an exception (those quote what they did not understand), no value of a variable, and
of the environment only what the program itself reads.
"""

from __future__ import annotations

import errno
import importlib.metadata
import os
import platform
import re
import sqlite3
import stat
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.limits import MAX_REPORTED_HEADER
from icc_store.model.header import HEADER_NAME
from icc_store.model.paths import display
from icc_store.version import VERSION

KEPT_REPORTS = 20
"""The newest ones; a failure that comes back every hour must not fill a disk."""

_FRAMES = 50
"""Innermost calls of each exception; one of endless recursion has thousands."""


_NAME = re.compile(r"report-\d{8}T\d{6}Z(-\d+)?\.txt")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHAIN = 10


@dataclass(frozen=True)
class Failure:
    """What is known when a command fails in a way that nobody expected."""

    problem: BaseException
    command: str = ""
    phase: str = ""
    last_paths: Sequence[bytes] = ()
    """Stored paths of the files that were seen last, the newest at the end."""
    repository: Path | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    """The variables that the program reads, and no others."""


def write_report(directory: Path, failure: Failure, *, clock: Clock = SYSTEM_CLOCK) -> Path:
    """Write a report into `directory`, which is made when it is missing, and drop the oldest ones. Returns its path.

    Nobody but the user can read either. Raises OSError, also where the directory is somebody else's.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = os.lstat(directory)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "is not this user's own directory", os.fspath(directory))
    directory.chmod(0o700)
    now = datetime.fromtimestamp(clock.now_ns() // 10**9, UTC)
    path = _write(directory, f"report-{now:%Y%m%dT%H%M%SZ}", report_text(failure, now))
    _drop_oldest(directory)
    return path


def report_text(failure: Failure, now: datetime) -> str:
    """The text of a report."""
    sections = (
        ("failure", _what_failed(failure, now)),
        ("last files, the newest at the end", (display(path) for path in failure.last_paths)),
        ("traceback, without messages, which could quote a file", _traceback(failure.problem)),
        ("versions", _versions()),
        ("repository", _repository(failure.repository)),
        ("settings", _pairs(failure.settings)),
        ("environment, as far as it is read", _pairs(failure.environment)),
    )
    return "\n".join(f"{title}\n" + "".join(f"    {line}\n" for line in lines) for title, lines in sections)


def _what_failed(failure: Failure, now: datetime) -> Iterator[str]:
    yield f"time: {now:%Y-%m-%dT%H:%M:%SZ}"
    yield f"command: {failure.command or 'none'}"
    yield f"phase: {failure.phase or 'none'}"


def _traceback(problem: BaseException) -> Iterator[str]:
    """Each exception of the chain, the one that came last first, with where it was raised."""
    one: BaseException | None = problem
    for _ in range(_CHAIN):
        if one is None:
            return
        number = one.errno if isinstance(one, OSError) else None
        code = f" {errno.errorcode.get(number, number)}" if number is not None else ""
        yield f"{type(one).__module__}.{type(one).__qualname__}{code}"
        for frame in traceback.extract_tb(one.__traceback__, limit=-_FRAMES):
            yield f"    {frame.filename}:{frame.lineno} in {frame.name}: {frame.line or ''}"
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)


def _versions() -> Iterator[str]:
    yield f"icc-store {VERSION}"
    yield f"Python {platform.python_version()} ({platform.python_implementation()})"
    yield f"{platform.platform()}, {os.cpu_count()} cores"
    yield f"SQLite {sqlite3.sqlite_version}"
    try:
        needed = importlib.metadata.requires("icc-store") or []
    except importlib.metadata.PackageNotFoundError:
        needed = []  # run from a directory that was never installed
    for name in sorted({re.split(r"[^\w.-]", each, maxsplit=1)[0] for each in needed if "extra ==" not in each}):
        try:
            yield f"{name} {importlib.metadata.version(name)}"
        except importlib.metadata.PackageNotFoundError:
            yield f"{name} missing"


def _repository(path: Path | None) -> Iterator[str]:
    if path is None:
        return
    yield f"path: {path}"
    try:
        disk = os.statvfs(path)
        yield f"free: {disk.f_bavail * disk.f_frsize:,} of {disk.f_blocks * disk.f_frsize:,} bytes"
        for file in sorted(path.iterdir()):
            status = file.lstat()
            yield f"{file.name}: {status.st_size:,} bytes, mode {status.st_mode:o}, owner {status.st_uid}"
        with (path / HEADER_NAME).open("rb") as header:
            yield from header.read(MAX_REPORTED_HEADER).decode("utf-8", "backslashreplace").splitlines()
    except OSError as error:
        yield f"cannot be read: {error.strerror}"


def _pairs(values: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(values):
        yield f"{name}: {values[name]!r}"


def _write(directory: Path, name: str, text: str) -> Path:
    for number in range(1, 10_000):
        path = directory / (f"{name}.txt" if number == 1 else f"{name}-{number}.txt")
        try:
            descriptor = os.open(path, _CREATE, 0o600)
        except FileExistsError:
            continue
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return path
    raise FileExistsError(errno.EEXIST, "too many reports in one second", os.fspath(directory))


def _drop_oldest(directory: Path) -> None:
    reports = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    reports.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    for path in reports[:-KEPT_REPORTS]:
        path.unlink(missing_ok=True)
