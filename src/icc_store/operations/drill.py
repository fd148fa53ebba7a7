"""drill: restore a snapshot somewhere else, compare what came back, and remember how it went.

A repository that verifies can still fail to restore, on this machine, as this user. So a drill does what a restore
does: it writes every file, reads each one back from the disk and compares it with its content id, and compares all of
a memory with the integrity hash of its manifest. The temporary place is removed whatever happens.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.entities.checksums import integrity_hash, sums_text
from icc_store.entities.profiles import BY_NAME
from icc_store.errors import IccStoreError
from icc_store.fs.private_directory import private_directory
from icc_store.ids import ObjectId
from icc_store.model.paths import display
from icc_store.model.record import Snapshot, SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.manifest import manifest_of
from icc_store.operations.memory.validate import validate_directory
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import Failure, RestoreOptions

_SUSPECT = "a drill could not restore all of it"
_BYTES_AROUND_A_FILE = 4096
"""What a file takes on the disk beside its bytes: half a block at its end, its inode, its name."""


@dataclass(frozen=True)
class DrillResult:
    """How a drill went. Sizes are bytes."""

    snapshot: Snapshot
    place: Path
    """Where it was restored; gone by now."""
    files: int
    """How many were read back and compared."""
    size: int
    failures: tuple[Failure, ...]
    hash_expected: str
    """The integrity hash of the manifest; empty without one."""
    hash_found: str
    """The same of what was restored; empty when there was nothing to compare with."""
    miscounted: str
    """How the entities that came back differ from those the manifest counts; empty when they do not."""
    errors: int | None
    """What validation of the restored memory calls errors, as they were when it was stored; None of other snapshots."""
    duration_ns: int

    @property
    def failure(self) -> str:
        """What went wrong, in a few words; empty when all of it came back."""
        if self.failures:
            first = self.failures[0]
            more = f" and {len(self.failures) - 1} more" if len(self.failures) > 1 else ""
            return f"{display(first.path) or 'its root'}: {first.message}{more}"
        if self.hash_found != self.hash_expected:
            return f"the integrity hash is {self.hash_found}, and the manifest says {self.hash_expected}"
        return self.miscounted


@dataclass(frozen=True)
class _Memory:
    """What a restored memory says of itself, beside its manifest."""

    hash_expected: str = ""
    hash_found: str = ""
    miscounted: str = ""
    errors: int | None = None


def newest_of_each_source(repository: Repository, source: str | None = None) -> list[Snapshot]:
    """The newest full snapshot of every source, or of one: what is drilled when nothing is named."""
    newest: dict[str, Snapshot] = {}
    for snapshot in repository.snapshots():
        if snapshot.record.kind is SnapshotClass.FULL and source in (None, snapshot.record.source):
            newest[snapshot.record.source] = snapshot
    return list(newest.values())


def drill(
    repository: Repository,
    snapshot: Snapshot,
    place: Path,
    *,
    monitor: Monitor = SILENT,
    clock: Clock = SYSTEM_CLOCK,
) -> DrillResult:
    """Restore a snapshot to a temporary directory in `place`, compare, and note the result.

    What did not come back is in the result. Raises DiskFull and TargetError when it could not be tried.
    """
    started = clock.monotonic()
    counters = snapshot.record.counters
    size = counters.size + _BYTES_AROUND_A_FILE * (counters.files + counters.directories + counters.others)
    with private_directory(place, size, clock=clock) as private:
        target = private / "restored"
        done = restore(
            repository, snapshot, options=RestoreOptions(target=target, verify=True), monitor=monitor, clock=clock
        )
        memory = _Memory() if done.failures else _look_at(target, snapshot, monitor)
    result = DrillResult(
        snapshot=snapshot,
        place=private,
        files=done.checked or 0,
        size=done.size,
        failures=done.failures,
        **vars(memory),
        duration_ns=int((clock.monotonic() - started) * 1e9),
    )
    _remember(repository, result, monitor)
    return result


def _look_at(target: Path, snapshot: Snapshot, monitor: Monitor) -> _Memory:
    """Compare a restored memory with its manifest, if it has one, and validate it."""
    manifest = manifest_of(snapshot)
    if manifest is None:
        return _Memory()
    monitor.phase("hash")
    found = integrity_hash(_listing(target))
    profile = manifest["icc_store"]["profile"]
    if not BY_NAME[profile].is_icc:
        return _Memory(manifest["integrity_hash"], found)
    checked = validate_directory(target, profile, monitor=monitor)
    there, counted = (_present(counts) for counts in (checked.entities, manifest["entities_by_type"]))
    miscounted = "" if there == counted else f"entities came back as {there}, and the manifest counts {counted}"
    return _Memory(manifest["integrity_hash"], found, miscounted, checked.errors)


def _present(counts: Mapping[str, int]) -> dict[str, int]:
    return {kind: number for kind, number in counts.items() if number}


def _listing(top: Path) -> bytes:
    """SHA256SUMS of a directory, made of its files alone."""
    root = os.fsencode(top)
    found: list[tuple[bytes, bytes]] = []
    for directory, _, names in os.walk(root):
        for name in names:
            path = os.path.join(directory, name)
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb") as file:
                    found.append((os.path.relpath(path, root), hashlib.file_digest(file, "sha256").digest()))
    return sums_text(found)


def _remember(repository: Repository, result: DrillResult, monitor: Monitor) -> None:
    """Note in the repository how it went; damage makes the snapshot suspect until a verify finds it whole."""
    snapshot = result.snapshot
    facts: list[tuple[ObjectId, Subject, str | int | bool]] = [(snapshot.id, Subject.DRILLED, result.failure or True)]
    if any(failure.damage for failure in result.failures) and not snapshot.suspect:
        facts.append((snapshot.id, Subject.SUSPECT, _SUSPECT))
    try:
        repository.annotate_all(facts)
    except IccStoreError as error:  # read-only, full or busy is no reason to fail
        monitor.note(f"how the drill went is not noted in the repository: {error.message}")
