"""A snapshot of a memory as the backup that its memory system expects.

    backup-YYYYMMDD-HHMMSS/
      entities/ relationships/ indexes/ config/ ...    the memory, as it was
      SHA256SUMS                                       of every regular file, as coreutils writes and checks it
      manifest.json                                    twelve keys, and ours under `icc_store`

Everything in it follows from the snapshot, so the same snapshot gives the same bytes. The listing and the manifest are
made before the files are written: digests that are known from the scan are taken, others cost one more read.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from icc_store.entities.checksums import MANIFEST_NAME, NOT_LISTED, SUMS_NAME, integrity_hash, sums_line
from icc_store.entities.layout import Area, place_of
from icc_store.entities.profiles import BY_NAME
from icc_store.errors import DamageError, UsageError
from icc_store.model.paths import display
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import Found, root_of, walk
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.file_facts import KnownFacts
from icc_store.operations.memory.manifest import backup_id, manifest_of, notes_of_survey, profile_of, to_wire
from icc_store.operations.memory.path_order import files_by_path
from icc_store.operations.memory.survey import Survey, read_facts, survey
from icc_store.operations.tar_export import Wrapping

_ICC = BY_NAME["icc"]


@dataclass(frozen=True)
class Backup:
    """What makes an export a backup. Sizes are bytes."""

    name: str
    """`backup-YYYYMMDD-HHMMSS`."""
    manifest: dict[str, Any]
    listing: bytes
    """SHA256SUMS."""
    files: int
    directories: int
    others: int
    size: int
    problems: tuple[tuple[bytes, str], ...]
    """Paths of what is damaged in the repository, and what that means for the backup."""

    @property
    def own_files(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names and contents of the files that stand beside the memory's own."""
        text = json.dumps(self.manifest, indent=2).encode() + b"\n"
        return ((MANIFEST_NAME, text), (SUMS_NAME, self.listing))

    @property
    def wrapping(self) -> Wrapping:
        """The same for a tar archive."""
        return Wrapping(self.name.encode(), self.own_files)


def backup_of(repository: Repository, snapshot: Snapshot, *, monitor: Monitor = SILENT) -> Backup:
    """Listing and manifest of a snapshot. Raises UsageError when it is of no memory, DamageError without its root."""
    if not profile_of(repository, snapshot).is_icc:
        raise UsageError(
            f"snapshot {snapshot.id.hex()[:12]} is of no memory that has a form for its backups",
            hint="export it as a plain tar, or restore it",
        )
    monitor.phase("listing")
    return _Listing(repository, snapshot, monitor).backup()


class _Listing:
    """One look over a snapshot, for what its backup says of it."""

    def __init__(self, repository: Repository, snapshot: Snapshot, monitor: Monitor) -> None:
        self._repository = repository
        self._objects = repository.objects
        self._snapshot = snapshot
        self._monitor = monitor
        self._problems: dict[bytes, str] = {}
        self._entities = Counter[str]()
        self._symlinks: list[dict[str, str]] = []
        self._counts = Counter[str]()

    def backup(self) -> Backup:
        listing = b"".join(self._lines())
        for found in walk(self._objects, root_of(self._snapshot.record), failed=self._damaged_directory):
            self._count(found)
        manifest = self._manifest(integrity_hash(listing))
        return Backup(
            backup_id(self._snapshot.record),
            manifest,
            listing,
            self._counts["files"],
            self._counts["directories"],
            self._counts["others"],
            self._counts["size"],
            tuple(self._problems.items()),
        )

    def _lines(self) -> Iterator[bytes]:
        facts = KnownFacts(self._repository.rehearsal()).facts_of
        try:
            for path, wire, fact in files_by_path(self._objects, self._snapshot.record.root, facts):
                self._objects.renew()
                place = place_of(path)
                self._entities[place.type] += place.area is Area.ENTITY
                if path in NOT_LISTED:
                    continue
                try:
                    digest = fact[0] if fact is not None else read_facts(self._objects, path, wire, None)[0]
                except DamageError as error:
                    self._problems[path] = f"it is damaged and not listed in SHA256SUMS: {error.message}"
                else:
                    yield sums_line(path, digest)
        except DamageError as error:
            self._problems[b""] = f"SHA256SUMS ends where a directory is damaged: {error.message}"

    def _damaged_directory(self, found: Found, error: DamageError) -> None:
        self._problems[found.path] = f"what is in it is left out: {error.message}"

    def _count(self, found: Found) -> None:
        entry = found.entry
        kind = "files" if entry.is_file else "directories" if entry.is_directory else "others"
        self._counts[kind] += 1
        self._counts["size"] += entry.size if entry.is_file else 0
        if entry.is_symlink:
            self._symlinks.append({"path": _text(found.path), "target": _text(entry.target or b"")})

    def _manifest(self, integrity: str) -> dict[str, Any]:
        """The snapshot's manifest, or one made now; with the hash of the listing as it is."""
        record = self._snapshot.record
        manifest = manifest_of(self._snapshot) or manifest_of(self._surveyed())
        if manifest is None:
            raise UsageError("a manifest cannot be made of this snapshot", hint="export it with --plain")
        if manifest["integrity_hash"] != integrity:
            self._problems.setdefault(b"", "what is stored is not what the manifest of the snapshot was made of")
            manifest["validation_passed"] = False
        manifest["integrity_hash"] = integrity
        manifest["icc_store"] |= {
            "time_ns": record.time_ns,
            "symlinks": self._symlinks,
            "problems": [f"{display(path) or '/'}: {message}" for path, message in self._problems.items()],
        }
        return manifest

    def _surveyed(self) -> Snapshot:
        """The snapshot with what its record would say, had it been looked over when it was taken."""
        record = self._snapshot.record
        failures: tuple[str, ...] = ()
        try:
            found = survey(self._objects, record.root, _ICC, monitor=self._monitor)
        except DamageError as error:
            found = Survey(entities=dict(self._entities))
            failures = (error.message,)
        notes = notes_of_survey(_ICC, found, failures)
        return replace(self._snapshot, record=replace(record, manifest=to_wire(notes)), annotations=())


def _text(path: bytes) -> str:
    """Bytes for JSON; those that are not UTF-8 as \\xNN."""
    return path.decode("utf-8", "backslashreplace")
