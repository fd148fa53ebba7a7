"""Checks around the restore of a memory: of the snapshot before, and of what stands on the disk afterwards.

Before: every object is read, and what the manifest says of all files together must be true. What validation found
wrong with the memory when it was backed up stops nobody from getting it back: it is reported again, and that is all.
After: every file is read back from the disk, all of them together have the hash of the backup, and each type has as
many entities. The memory as it now is goes through validation, unless it holds those files and no other: then what is
to be said of it was found in the snapshot already. As at every snapshot, that leaves very large indexes to `validate`.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from icc_store.clock import Clock
from icc_store.entities.checksums import NOT_LISTED, sums_line
from icc_store.entities.findings import Finding
from icc_store.entities.layout import NEVER_IN_A_MEMORY, Area, place_of
from icc_store.entities.profiles import BY_NAME
from icc_store.errors import DamageError
from icc_store.model.paths import join
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.memory.manifest import notes_of
from icc_store.operations.memory.path_order import files_by_path
from icc_store.operations.memory.places import has_memory_layout
from icc_store.operations.memory.survey import Survey, survey
from icc_store.operations.memory.validate import in_order, validate_directory
from icc_store.operations.restore_plan import Failure
from icc_store.operations.restore_safety import require_undamaged


def check_backup(repository: Repository, snapshot: Snapshot, *, monitor: Monitor, clock: Clock) -> Survey:
    """Read all of a snapshot of a memory. Raises DamageError, naming files, when not all of it can be brought back."""
    try:
        found = survey(repository.objects, snapshot.record.root, BY_NAME["icc"], monitor=monitor)
    except DamageError:
        require_undamaged(repository, snapshot, monitor=monitor, clock=clock)  # names the files, and remembers it
        raise
    known = (notes_of(snapshot) or {}).get("digest")
    if known is not None and known != found.digest:
        raise DamageError(
            "the files of the snapshot do not have the integrity hash of its manifest; nothing was restored",
            hint="run `icc-store verify`; --no-safety restores it all the same",
        )
    return found


@dataclass
class Restored:
    """What of a snapshot stands on the disk."""

    files: int = 0
    entities: Counter[str] = field(default_factory=Counter)
    """By the type that their folder stands for."""
    digest: bytes | None = None
    """SHA-256 of the SHA256SUMS of all that the snapshot has; None of a part of it."""
    missing: list[Failure] = field(default_factory=list)


def read_back(repository: Repository, snapshot: Snapshot, target: Path, *, monitor: Monitor) -> Restored:
    """Read every file that the snapshot has from the disk."""
    monitor.phase("compare")
    found, listing = Restored(), hashlib.sha256()
    for path, _, _ in files_by_path(repository.objects, snapshot.record.root):
        try:
            with open(join(os.fsencode(target), path), "rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            found.missing.append(Failure(path, f"cannot be read back: {error.strerror}"))
            continue
        if path not in NOT_LISTED:
            listing.update(sums_line(path, digest))
        found.files += 1
        place = place_of(path)
        if place.area is Area.ENTITY:
            found.entities[place.type] += 1
        monitor.advance(1, 0, path)
    found.digest = listing.digest()
    return found


def compare(backup: Survey, snapshot: Snapshot, restored: Restored) -> list[Failure]:
    """What is not as it was backed up, of all that a snapshot holds."""
    failures = list(restored.missing)
    expected = (notes_of(snapshot) or {}).get("entities", backup.entities)
    failures += [
        Failure(b"entities", f"{restored.entities[kind]} of type {kind} came back, and {expected.get(kind, 0)} went in")
        for kind in sorted({*restored.entities, *expected})
        if restored.entities[kind] != expected.get(kind, 0)
    ]
    if not failures and restored.digest != backup.digest:
        failures.append(Failure(b"", "what was read back does not have the integrity hash of the snapshot"))
    return failures


Look = tuple[dict[str, int], tuple[Finding, ...]]
"""Entities by type, and findings."""


def look_over(target: Path, *, monitor: Monitor) -> Look:
    """Entities by type in a live memory, and what validation finds in it; nothing where there are no entities."""
    if not has_memory_layout(target):
        return {}, ()
    found = validate_directory(target, "icc", monitor=monitor)
    return _some(found.entities), found.findings


def look_of_backup(backup: Survey, target: Path, restored: Restored) -> Look | None:
    """The same of a memory that was compared with its snapshot, without reading it once more.

    None where something else than the snapshot's files is in it, its own backups apart.
    """
    if not has_memory_layout(target) or not _holds_only(target, restored.files):
        return None
    return _some(backup.entities), in_order(backup.findings)


def _some(entities: Mapping[str, int]) -> dict[str, int]:
    return {kind: number for kind, number in sorted(entities.items()) if number}


def _holds_only(target: Path, files: int) -> bool:
    """Whether a memory has so many regular files, and beside them directories only."""
    top = os.fsencode(target)
    pending = [top]
    try:
        while pending:
            directory = pending.pop()
            with os.scandir(directory) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if directory != top or entry.name not in NEVER_IN_A_MEMORY:
                            pending.append(entry.path)
                    elif entry.is_file(follow_symlinks=False):
                        files -= 1
                    else:
                        return False
    except OSError:
        return False  # validation says what cannot be looked at
    return files == 0
