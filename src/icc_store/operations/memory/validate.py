"""Validating a memory: every file by itself, then indexes, relationships and ids against each other."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from icc_store.entities.findings import Finding, count, in_order, warning
from icc_store.entities.layout import NEVER_IN_A_MEMORY
from icc_store.entities.profiles import BY_NAME, GENERIC, Profile
from icc_store.errors import SourceError
from icc_store.fs.excludes import Excludes
from icc_store.fs.file_reader import FileReader
from icc_store.fs.live_walk import Entered, Left, Met, Unreadable, walk_live
from icc_store.model.content import content_bytes, plain_bytes
from icc_store.model.entry import Entry
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import Found, root_of, walk
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.contents import read_file
from icc_store.operations.memory.manifest import profile_of
from icc_store.operations.memory.profile_choice import choose_profile, profile_named
from icc_store.operations.memory.validate_files import FileChecks, Pieces, make_checks

_READ_SIZE = 1 << 20
_LINK = "a symbolic link: it is stored as one, and what it leads to is not"
_SPECIAL = "a FIFO, socket or device, which no memory system reads"


@dataclass(frozen=True)
class ValidationResult:
    """What was found in a memory."""

    profile: Profile
    files: int
    """Regular files that were looked at."""
    entities: Mapping[str, int]
    """Entities, or other records, by type; broken ones are counted where they stand."""
    findings: tuple[Finding, ...]
    """Errors before warnings, each in order of paths."""

    @property
    def errors(self) -> int:
        """How many of the findings are errors."""
        return count(self.findings)[0]

    @property
    def warnings(self) -> int:
        """How many of them are warnings."""
        return count(self.findings)[1]


def validate_directory(path: Path, profile: str = "", *, monitor: Monitor = SILENT) -> ValidationResult:
    """Validate the live memory in a directory, by the profile of that name or the one it looks like.

    Its own backups are not looked at, nor what the profile never stores. Symbolic links are not followed.
    Raises SourceError for a directory that is no memory or cannot be read, UsageError for an unknown profile.
    """
    chosen = choose_memory(path, profile)
    monitor.phase("validate")
    checks = make_checks(chosen)
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}", hint="check its permissions") from error
    try:
        _Live(fd, chosen, checks, monitor).run()
    finally:
        os.close(fd)
    return _result(chosen, checks)


def validate_snapshot(
    repository: Repository, snapshot: Snapshot, profile: str = "", *, monitor: Monitor = SILENT
) -> ValidationResult:
    """Validate the memory in a snapshot, by the profile of that name or the one it was taken with.

    What cannot be read from the repository is among the findings.
    Raises SourceError for a snapshot of no memory, UsageError for an unknown profile.
    """
    chosen = profile_named(profile) if profile else profile_of(repository, snapshot)
    if chosen is GENERIC and not profile:
        raise SourceError("the snapshot is of no memory that is known", hint=_hint())
    monitor.phase("validate")
    checks = make_checks(chosen)
    objects = repository.objects

    def failed(found: Found, error: Exception) -> None:
        checks.unreadable(found.path, error)

    def read(path: bytes) -> bytes:
        return b"".join(read_file(repository, snapshot.record, path))

    for found in walk(objects, root_of(snapshot.record), failed=failed):
        entry = found.entry
        if entry.is_file:
            checks.file(found.path, entry.size, _stored(repository, entry))
        elif not entry.is_directory:
            checks.findings.append(warning(found.path, "", _SPECIAL if entry.target is None else _LINK))
        monitor.advance(1, entry.size, found.path)
    checks.finish(read)
    return _result(chosen, checks)


def choose_memory(path: Path, profile: str) -> Profile:
    """The profile of the memory in a directory. Raises SourceError when it is none, UsageError for an unknown name."""
    if profile:
        profile_named(profile)
    if not path.is_dir():
        missing = "is not a directory" if path.exists() else "does not exist"
        raise SourceError(f"{path} {missing}", hint="name the directory of a memory")
    chosen = choose_profile([path], profile, single=True)
    if chosen is GENERIC and not profile:
        raise SourceError(f"{path} is not a memory that is known by its layout", hint=_hint())
    return chosen


def _hint() -> str:
    return f"--profile says what it is: {', '.join(BY_NAME)}"


def _result(profile: Profile, checks: FileChecks) -> ValidationResult:
    return ValidationResult(profile, checks.files, dict(checks.entities), in_order(checks.findings))


def _stored(repository: Repository, entry: Entry) -> Pieces:
    return lambda: plain_bytes(content_bytes(repository.objects, entry.chunk, entry.content_list))


class _Live:
    """The files of a live memory, each checked where it is met."""

    def __init__(self, fd: int, profile: Profile, checks: FileChecks, monitor: Monitor) -> None:
        self._fd = fd
        self._checks = checks
        self._monitor = monitor
        self._reader = FileReader()
        self._excludes = Excludes(
            profile.skip, never=NEVER_IN_A_MEMORY if profile.is_icc else (), secrets=profile.never_store
        )

    def run(self) -> None:
        """Check all files."""
        directory = b""
        try:
            for step in walk_live(self._fd, self._excludes):
                match step:
                    case Entered(path) | Left(path):
                        directory = path
                    case Unreadable(path, error):
                        self._checks.unreadable(path, error)
                    case Met():
                        self._check(step)
        except OSError as error:  # a directory that was moved away while the walk was in it
            self._checks.unreadable(directory, error)
        self._checks.finish(self._read)

    def _check(self, file: Met) -> None:
        mode, size = file.status.st_mode, file.status.st_size
        self._monitor.advance(1, size, file.path)
        if stat.S_ISREG(mode):
            self._checks.file(file.path, size, lambda: self._pieces(file.directory_fd, file.name))
        else:
            self._checks.findings.append(warning(file.path, "", _LINK if stat.S_ISLNK(mode) else _SPECIAL))

    def _pieces(self, directory_fd: int, name: bytes) -> Iterator[bytes]:
        with open(self._reader.open(directory_fd, name), "rb", buffering=0) as file:
            while piece := file.read(_READ_SIZE):
                yield piece

    def _read(self, path: bytes) -> bytes:
        return b"".join(self._pieces(self._fd, path))
