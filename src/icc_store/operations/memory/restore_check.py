"""Checks around the restore of a memory: of the snapshot before, and of what stands on the disk afterwards.

Before: what the manifest says of all files together must be true, and every object is read where there is something to
lose. What validation found wrong with the memory when it was backed up stops nobody from getting it back: it is
reported again, and that is all. Each file is read back once it is there (operations/restore_check.py), so that what
came back has the hash of the backup. Afterwards the memory as it now is goes through validation, unless it holds those
files and no other: then what is to be said of it was found in the snapshot already. As at every snapshot, that leaves
very large indexes to `validate`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from icc_store.clock import Clock
from icc_store.entities.findings import Finding, in_order
from icc_store.entities.layout import NEVER_IN_A_MEMORY
from icc_store.entities.profiles import BY_NAME
from icc_store.errors import DamageError
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.memory.file_facts import KnownFacts
from icc_store.operations.memory.manifest import notes_of
from icc_store.operations.memory.places import has_memory_layout
from icc_store.operations.memory.survey import Survey, survey
from icc_store.operations.restore_safety import require_undamaged


def check_backup(repository: Repository, snapshot: Snapshot, *, read: bool, monitor: Monitor, clock: Clock) -> Survey:
    """Look over a snapshot of a memory, and `read` all of it where something is to lose if it cannot be brought back.

    Otherwise only what the snapshot left no facts of is read. Raises DamageError, naming files, for what is damaged.
    """
    facts_of = None if read else KnownFacts(repository.rehearsal()).facts_of
    try:
        found = survey(repository.objects, snapshot.record.root, BY_NAME["icc"], facts_of=facts_of, monitor=monitor)
    except DamageError:
        require_undamaged(repository, snapshot, monitor=monitor, clock=clock)  # names the files, and remembers it
        raise
    notes = notes_of(snapshot) or {}
    if some_of(notes.get("entities", found.entities)) != some_of(found.entities):
        raise DamageError(
            "the snapshot has not the entities that its manifest counts; nothing was restored",
            hint="run `icc-store verify`; --no-safety restores what there is",
        )
    if notes.get("digest", found.digest) != found.digest:
        raise DamageError(
            "the files of the snapshot do not have the integrity hash of its manifest; nothing was restored",
            hint="run `icc-store verify`; --no-safety restores it all the same",
        )
    return found


Look = tuple[dict[str, int], tuple[Finding, ...]]
"""Entities by type, and findings."""


def look_over(target: Path, *, monitor: Monitor) -> Look:
    """Entities by type in a live memory, and what validation finds in it; nothing where there are no entities."""
    if not has_memory_layout(target):
        return {}, ()
    from icc_store.operations.memory.validate import validate_directory  # slow to load, and most have it from before

    found = validate_directory(target, "icc", monitor=monitor)
    return some_of(found.entities), found.findings


def look_of_backup(backup: Survey, target: Path) -> Look | None:
    """The same of a memory that was compared with its snapshot, without reading it once more.

    None where something else than the snapshot's files is in it, its own backups apart.
    """
    if not has_memory_layout(target) or not _holds_only(target, backup.files):
        return None
    return some_of(backup.entities), in_order(backup.findings)


def some_of(entities: Mapping[str, int]) -> dict[str, int]:
    """Types of which there are any, in order."""
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
