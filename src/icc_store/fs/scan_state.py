"""What a scan works with and on: the run it feeds, its options, its counters, and the directory at hand."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Protocol

from icc_store.fs.excludes import Excludes
from icc_store.fs.seen import mark_of
from icc_store.ids import ObjectId
from icc_store.model.content_writer import Adder
from icc_store.model.entry import FLAGS, MTIME, SIZE, Wire
from icc_store.model.tree import Objects

if TYPE_CHECKING:
    from icc_store.fs.second_scan import FoundPart

_TYPE = 0o170000
_REG, _DIR = stat.S_IFREG, stat.S_IFDIR


class Run(Protocol):
    """What the scanner needs of the run it works for."""

    @property
    def writer(self) -> Adder:
        """Where objects go."""

    @property
    def objects(self) -> Objects:
        """Where they are read."""

    def seen(self, key: bytes) -> bytes | None:
        """The row a former run left."""

    def remember(self, key: bytes, row: bytes) -> None:
        """Leave a row for the next run."""


class Forgetful:
    """A run that leaves nothing for the next one: for a snapshot of less than there is."""

    def __init__(self, run: Run) -> None:
        self.writer = run.writer
        self.objects = run.objects
        self.seen = run.seen

    def remember(self, key: bytes, row: bytes) -> None:
        """The next run finds what former ones left."""


@dataclass
class ScanCounters:
    """What a scan met. Sizes are bytes."""

    files: int = 0
    directories: int = 0
    others: int = 0
    size: int = 0
    new_files: int = 0
    changed_files: int = 0
    unchanged_files: int = 0

    def add(self, other: ScanCounters) -> None:
        """Count what another has counted as well."""
        for counter in fields(self):
            setattr(self, counter.name, getattr(self, counter.name) + getattr(other, counter.name))

    def add_unchanged(self, part: Part) -> tuple[int, int]:
        """Count what is as it was. Returns how many files that are, and their bytes."""
        files = size = directories = 0
        if part.is_plain:
            files, size = len(part.statuses), sum([status.st_size for status in part.statuses])
        for status in part.statuses if not part.is_plain else ():
            kind = status.st_mode & _TYPE
            if kind == _REG:
                files += 1
                size += status.st_size
            elif kind == _DIR:
                directories += 1
        self.files += files
        self.unchanged_files += files
        self.size += size
        self.directories += directories
        self.others += len(part.statuses) - files - directories
        return files, size


@dataclass(frozen=True)
class ScanOptions:
    """How to scan. `label` stands for host and source, `turn` counts the runs of a repository."""

    label: bytes
    excludes: Excludes
    one_file_system: bool = False
    rehash: bool = False
    turn: int = 0
    racy_from_ns: int = 0
    is_large: bool = False
    """Whether the snapshot before has so many files that a second scan pays."""


@dataclass
class Directory:
    """One directory while it is stored."""

    path: bytes
    firsts: list[bytes]
    """First names of its parts when it was last seen; the very first stands as an empty name."""
    dropped: set[bytes] = field(default_factory=set)
    """Names that turned out not to be storable."""
    copied: dict[bytes, Wire] = field(default_factory=dict)
    """Entries of databases in use that have been copied; their companions are among what is dropped."""
    plain: set[bytes] = field(default_factory=set)
    """Databases that nobody uses any more, and their companions."""
    subtrees: dict[bytes, ObjectId] = field(default_factory=dict)
    counted: ScanCounters = field(default_factory=ScanCounters)
    rows: dict[bytes, bytes] = field(default_factory=dict)
    """What is left for the next run, once all of the directory is stored: nothing of a look that was given up."""

    def store_plainly(self, database: set[bytes]) -> None:
        """From now on store the files of a database like any others, also those that a copy would have stood for."""
        self.plain |= database
        self.dropped -= database


@dataclass(slots=True)
class Part:
    """Entries that will stand in one tree part, as `stat` saw them."""

    first: bytes
    names: list[bytes]
    statuses: list[os.stat_result]
    is_plain: bool = True
    """Whether there are only regular files of one name each: most parts are, and much need not be asked of them."""
    found: FoundPart | None = None
    """What a second scan has made of it; then there are no statuses."""


Earlier = dict[bytes, tuple[Wire, int | None]]
"""Names of the last snapshot: the entry, and the mark that it was seen with (fs/seen.py)."""


def is_same(found: tuple[Wire, int | None], status: os.stat_result) -> bool:
    """Whether a regular file is, by all that `stat` says, what its entry in the last snapshot describes."""
    wire, mark = found
    return (
        mark == mark_of(status)
        and wire.get(SIZE) == status.st_size
        and wire[MTIME] == status.st_mtime_ns
        and status.st_mode & _TYPE == _REG
        and FLAGS not in wire
    )
