"""How a snapshot is to be taken, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from icc_store.limits import DEFAULT_LEVEL
from icc_store.model.record import Counters, Snapshot, SnapshotClass
from icc_store.quick_dataclass import dataclass

if TYPE_CHECKING:
    from icc_store.clock import Clock
    from icc_store.entities.findings import Finding
    from icc_store.entities.select import Selection
    from icc_store.model.repository import Repository
    from icc_store.monitor import Monitor
    from icc_store.operations.memory.manifest import Notes
    from icc_store.operations.memory.selection import LeftOut


@dataclass(frozen=True)
class SnapshotOptions:
    """How to take a snapshot. Empty `source` and `host`: this machine's."""

    name: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    source: str = ""
    host: str = ""
    kind: SnapshotClass = SnapshotClass.FULL
    exclude: tuple[str, ...] = ()
    exclude_caches: bool = False
    exclude_larger_than: int | None = None
    one_file_system: bool = False
    as_path: bytes = b""
    profile: str = ""
    """A profile's name (entities/profiles.py); empty: the one that the directory looks like."""
    selection: Selection | None = None
    """Which entities of a memory to store; the snapshot is selective then."""
    incremental: bool = False
    """Whether there must be a full snapshot of the source already; what is stored is the same."""
    scan_secrets: bool = False
    min_free: int = 0
    """Bytes to be left free on the repository's disk."""
    home: Path | None = None
    """The user's home, where the default memory is, whose own backups are never part of a snapshot."""
    stdin_name: bytes = b""
    rehash: bool = False
    skip_if_unchanged: bool = False
    dry_run: bool = False
    level: int = DEFAULT_LEVEL
    threads: int | None = None


@dataclass(frozen=True)
class SnapshotResult:
    """What came of it. `snapshot` is None after a rehearsal, and when nothing had changed and that was asked for."""

    snapshot: Snapshot | None
    parent: Snapshot | None
    counters: Counters
    problems: tuple[tuple[bytes, str], ...]
    """Stored paths of what could not be read, and why."""
    unchanged: bool
    """Whether the tree is the very same as the parent's."""
    new_objects: int
    profile: str = ""
    notes: Notes | None = None
    """What the manifest of a memory was made of (operations/memory/manifest.py)."""
    findings: tuple[Finding, ...] = ()
    """What validation found in the memory, when anything in it has changed."""
    secrets: tuple[Finding, ...] = ()
    """New or changed files whose text looks like it holds a key."""
    withheld: tuple[bytes, ...] = ()
    """Stored paths that the profile never stores: credentials and tokens."""
    left_out: LeftOut | None = None
    """What a selection left out."""
    since: Snapshot | None = None
    """The full snapshot that an incremental one tells the changes from."""

    @property
    def fewer_files(self) -> int:
        """How many files fewer there are than in the parent."""
        if self.parent is None or self.left_out is not None:
            return 0
        return max(self.parent.record.counters.files - self.counters.files - len(self.problems), 0)


class SnapshotTaker(Protocol):
    """What takes a snapshot: `take_snapshot`, or that with another try where the disk is full."""

    def __call__(
        self, repository: Repository, paths: Sequence[Path], *, options: SnapshotOptions, monitor: Monitor, clock: Clock
    ) -> SnapshotResult:
        """Take it. Raises as `take_snapshot` does."""
