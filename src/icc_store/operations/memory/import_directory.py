"""Make a snapshot of the unpacked backup of a memory: by `export --directory`, or with any tar from an archive."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.errors import IccStoreError, SourceError
from icc_store.model.paths import join
from icc_store.model.record import SnapshotClass
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.backup_papers import TOO_LARGE, memory_in, papers_of, settle
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.tar_import import PLAINLY, ImportOptions, ImportResult

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_NO_PAPER = frozenset((errno.ENOENT, errno.ELOOP))
"""Missing, or a link. Anything else may be over when the scan comes, which would store a paper as one of the files."""


def import_directory(
    repository: Repository,
    directory: Path,
    *,
    options: ImportOptions = PLAINLY,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> ImportResult:
    """Make a snapshot of class import of the memory in a directory, without what is the backup's own.

    Raises SourceError when it cannot be read or there is no memory in it.
    """
    monitor.phase("import")
    try:
        below = memory_in(lambda path: _names(os.fsencode(directory) + b"/" + path))
    except OSError as error:
        raise SourceError(f"{directory} cannot be read: {error.strerror}", hint="nothing was stored") from error
    if below is None:
        raise SourceError(
            f"{directory} is no unpacked backup of a memory: it has no directory `entities`",
            hint="`icc-store snapshot` stores any directory",
        )
    top = join(os.fsencode(directory), below) if below else os.fsencode(directory)
    papers = papers_of(lambda name, limit: _read(join(top, name), limit))
    taken = take_snapshot(
        repository,
        [Path(os.fsdecode(top))],
        options=SnapshotOptions(
            name=options.name or papers.claims.name,
            tags=options.tags,
            note=options.note,
            source=options.source or f"import:{directory.resolve().name}",
            host=options.host,
            kind=SnapshotClass.IMPORT,
            exclude=tuple("/" + os.fsdecode(name) for name in papers.own),
            level=options.level,
            threads=options.threads,
        ),
        monitor=monitor,
        clock=clock if papers.claims.time_ns is None else _At(papers.claims.time_ns, clock),
    )
    if taken.snapshot is None:
        raise IccStoreError("no snapshot was made", hint="run the command again")
    proof = settle(repository, taken.snapshot, papers, monitor=monitor)
    return ImportResult(
        repository.snapshot(taken.snapshot.id),
        papers.warnings + proof.warnings,
        taken.problems + proof.problems,
        proof.checked,
        below,
    )


class _At:
    """A clock for what was taken at another time: durations are those of now."""

    def __init__(self, ns: int, clock: Clock) -> None:
        self._ns = ns
        self._clock = clock

    def now_ns(self) -> int:
        return self._ns

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        self._clock.sleep(seconds)


def _names(directory: bytes) -> dict[bytes, bool]:
    with os.scandir(directory) as entries:
        return {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}


def _read(path: bytes, limit: int) -> bytes | None:
    try:
        fd = os.open(path, _READ)
    except OSError as error:
        if error.errno in _NO_PAPER:
            return None
        where = os.fsdecode(path)
        raise SourceError(
            f"{where} cannot be read: {error.strerror}", hint="make it readable, or move it away; nothing was stored"
        ) from error
    with open(fd, "rb") as file:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            return None
        return TOO_LARGE if status.st_size > limit else file.read(limit)
