"""Every version of one entity or file, and what changed in each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from icc_store.entities.changes import FieldChange, compare
from icc_store.entities.record import Record
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT, Monitor
from icc_store.operations.memory.history_subject import Subject, find_subject
from icc_store.operations.memory.history_trace import State, trace
from icc_store.operations.memory.manifest import profile_of
from icc_store.operations.memory.timeline import timeline
from icc_store.operations.tree_search import TreesOnce


class VersionKind(StrEnum):
    """How a version came about."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"
    """To another path, changed or not."""
    REMOVED = "removed"
    RETURNED = "returned"
    """Back after it was removed; its fields are compared with those it had before."""


@dataclass(frozen=True, slots=True)
class Version:
    """What one snapshot was the first to see."""

    snapshot: Snapshot
    kind: VersionKind
    path: bytes
    size: int | None = None
    """Bytes of the file; None when it is not there."""
    mtime_ns: int | None = None
    moved_from: bytes | None = None
    fields: tuple[FieldChange, ...] = ()
    """What changed since the version before that could be read. Nothing in the first, and in one that was only
    written in another form."""
    problem: str = ""
    """Why its fields cannot be told."""
    damaged: bool = False
    """Whether that is the repository's fault."""


@dataclass(frozen=True)
class History:
    """The versions of one entity or file, oldest first."""

    id: str
    """Of the entity; of a file that is none, its path."""
    type: str
    path: bytes
    """Where it is, or was last."""
    versions: tuple[Version, ...]
    searched: int
    """How many snapshots were looked at."""

    @property
    def is_there(self) -> bool:
        """Whether the newest snapshot has it."""
        return self.versions[-1].kind is not VersionKind.REMOVED


def history(repository: Repository, what: str, *, source: str | None = None, monitor: Monitor = SILENT) -> History:
    """The history of an entity, named by its id, its path or the stem of its file, in the snapshots of one source.

    Raises PathNotInSnapshot, AmbiguousPath, DamageError when a directory cannot be read.
    """
    snapshots = timeline(repository, source=source, about=what, monitor=monitor)
    profile = profile_of(repository, snapshots[-1])
    objects = TreesOnce(repository.objects)
    subject = find_subject(objects, snapshots, what, profile, monitor=monitor)
    states = trace(objects, snapshots, subject, profile, monitor=monitor)
    identity, kind = name_of(subject, states)
    return History(identity, kind, states[-1].path, tuple(_versions(states)), len(snapshots))


def name_of(subject: Subject, states: Iterable[State]) -> tuple[str, str]:
    """Id and type of what these states are of: as the newest of them says."""
    records = [state.record for state in states if state.record is not None]
    newest: Record | None = records[-1] if records else None
    return subject.id or (newest.id if newest else ""), newest.type if newest else ""


def _versions(states: Iterable[State]) -> Iterator[Version]:
    """Each state against the one before it, its fields against the last that could be read."""
    before: State | None = None
    readable: Record | None = None
    for state in states:
        if state.entry is None:
            yield Version(state.snapshot, VersionKind.REMOVED, state.path)
            before = state
            continue
        kind, moved_from = VersionKind.CHANGED, None
        if before is None:
            kind = VersionKind.ADDED
        elif before.entry is None:
            kind = VersionKind.RETURNED
        elif before.path != state.path:
            kind = VersionKind.MOVED
        if before is not None and before.path != state.path:
            moved_from = before.path
        fields = () if readable is None or state.record is None else tuple(compare(readable, state.record))
        readable = state.record or readable
        yield Version(
            state.snapshot,
            kind,
            state.path,
            state.entry.size,
            state.entry.mtime_ns,
            moved_from,
            fields,
            state.problem,
            state.damaged,
        )
        before = state
