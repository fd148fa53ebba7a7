"""What is said about a snapshot after it was taken: tags, a pin, a note. The snapshot itself never changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icc_store.errors import SnapshotNotFound, UsageError
from icc_store.ids import ObjectId
from icc_store.limits import MAX_NOTE
from icc_store.model.record import Snapshot, Subject
from icc_store.model.repository import Repository

_Fact = tuple[ObjectId, Subject, str | int | bool]


@dataclass(frozen=True)
class TagOptions:
    """Tags to add, and tags to take away."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class Annotated:
    """Snapshots as they stand now, and those of them that something was changed about."""

    snapshots: tuple[Snapshot, ...]
    changed: frozenset[ObjectId]


def tag(repository: Repository, snapshots: Sequence[ObjectId], options: TagOptions) -> Annotated:
    """Add and remove tags, in one commit. Raises SnapshotNotFound, and UsageError for what is no tag."""
    for one in options.add:
        if not one or one != one.strip() or not one.isprintable() or "," in one:
            raise UsageError(f"{one!r} is no tag: it is empty, or holds a comma or what cannot be seen")
    both = sorted(set(options.add) & set(options.remove))
    if both:
        raise UsageError(f"the tag {both[0]!r} cannot be added and removed at once")
    facts: list[_Fact] = []
    for snapshot in _each(repository, snapshots):
        identity, tags = snapshot.id, snapshot.tags
        facts += [(identity, Subject.TAG, one) for one in dict.fromkeys(options.add) if one not in tags]
        facts += [(identity, Subject.UNTAG, one) for one in dict.fromkeys(options.remove) if one in tags]
    return _annotate(repository, snapshots, facts)


def pin(repository: Repository, snapshots: Sequence[ObjectId], *, on: bool = True) -> Annotated:
    """Keep snapshots whatever the retention rules say, or no longer. Raises SnapshotNotFound."""
    changing = [one.id for one in _each(repository, snapshots) if one.pinned != on]
    return _annotate(repository, snapshots, [(one, Subject.PIN, on) for one in changing])


def note(repository: Repository, snapshot: ObjectId, text: str) -> Annotated:
    """Write a note on a snapshot in place of the one it had; an empty text removes it. Raises SnapshotNotFound."""
    if len(text) > MAX_NOTE:
        raise UsageError(f"a note has at most {MAX_NOTE:,} characters, not {len(text):,}")
    changing = [one.id for one in _each(repository, [snapshot]) if one.note != text]
    return _annotate(repository, [snapshot], [(one, Subject.NOTE, text) for one in changing])


def _each(repository: Repository, wanted: Sequence[ObjectId]) -> list[Snapshot]:
    """These snapshots, each once, in the order that was asked for. Raises SnapshotNotFound."""
    known = {snapshot.id: snapshot for snapshot in repository.snapshots(forgotten=True)}
    missing = [identity for identity in wanted if identity not in known]
    if missing:
        raise SnapshotNotFound(f"there is no snapshot {missing[0].hex()}", hint="see `icc-store list`")
    return [known[identity] for identity in dict.fromkeys(wanted)]


def _annotate(repository: Repository, wanted: Sequence[ObjectId], facts: list[_Fact]) -> Annotated:
    if facts:
        repository.annotate_all(facts)
    return Annotated(tuple(_each(repository, wanted)), frozenset(identity for identity, _, _ in facts))
