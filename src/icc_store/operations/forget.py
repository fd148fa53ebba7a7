"""Forget snapshots, and take that back.

Forgetting only says so: a forgotten snapshot is no longer listed, and gc removes it once `undelete_hours` have passed.
Until then `undelete` brings it back whole. A purged one has no such time: the next gc may remove it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from icc_store.errors import BusyError, IccStoreError, SnapshotNotFound
from icc_store.ids import ObjectId
from icc_store.model.record import PURGE, Snapshot, SnapshotClass, Subject
from icc_store.model.repository import Repository
from icc_store.quick_dataclass import dataclass


@dataclass(frozen=True)
class ForgetOptions:
    """`purge`: without a time to think it over, and even the last full snapshot of a source."""

    purge: bool = False
    dry_run: bool = False


@dataclass(frozen=True)
class ForgetResult:
    """Snapshots whose state changed (or would), and those that were in it already."""

    changed: tuple[Snapshot, ...]
    unchanged: tuple[Snapshot, ...]


def forget(
    repository: Repository,
    snapshots: Sequence[ObjectId],
    *,
    options: ForgetOptions = ForgetOptions(),
) -> ForgetResult:
    """Forget these snapshots: all of them or, when one may not go, none.

    Raises SnapshotNotFound, and IccStoreError for a pinned snapshot or, unless purging, the last full one of a source.
    """
    known = repository.snapshots(forgotten=True)
    named = _named(known, snapshots)
    pinned = [one for one in named if one.pinned]
    if pinned:
        raise IccStoreError(f"{_called(pinned)} pinned", hint="unpin first: `icc-store pin --remove`")
    changed = tuple(one for one in named if one.forgotten_ns is None or (options.purge and one.forgotten_ns))
    result = ForgetResult(changed, tuple(one for one in named if one not in changed))
    before = _full_sources(known)
    bereft = before - _full_sources(one for one in known if one not in changed)
    if bereft and not options.purge:
        raise IccStoreError(
            f"that would forget the last full snapshot of {_listed(bereft)}", hint="`forget --purge` does that"
        )
    if not changed or options.dry_run:
        return result
    repository.annotate_all([(one.id, Subject.FORGOTTEN, PURGE if options.purge else True) for one in changed])
    if not options.purge:
        _check_still_there(repository, changed, before)
    return result


def undelete(
    repository: Repository,
    snapshots: Sequence[ObjectId],
    *,
    options: ForgetOptions = ForgetOptions(),
) -> ForgetResult:
    """Bring forgotten snapshots back, as long as gc has not removed them. Raises SnapshotNotFound."""
    named = _named(repository.snapshots(forgotten=True), snapshots)
    changed = tuple(one for one in named if one.forgotten_ns is not None)
    if changed and not options.dry_run:
        repository.annotate_all([(one.id, Subject.FORGOTTEN, False) for one in changed])
    return ForgetResult(changed, tuple(one for one in named if one not in changed))


def _check_still_there(repository: Repository, changed: tuple[Snapshot, ...], before: set[str]) -> None:
    """Take it back when somebody forgot the other half at the same time: each looked before either wrote."""
    bereft = before - _full_sources(repository.snapshots())
    ours = [one for one in changed if one.record.source in bereft and one.record.kind is SnapshotClass.FULL]
    if ours:
        repository.annotate_all([(one.id, Subject.FORGOTTEN, False) for one in ours])
        raise BusyError(
            f"another process forgot snapshots of {_listed(one.record.source for one in ours)} at the same time, "
            "and none would be left",
            hint="look at `icc-store list` and try again",
        )


def _named(known: list[Snapshot], wanted: Sequence[ObjectId]) -> list[Snapshot]:
    by_id = {one.id: one for one in known}
    for identity in wanted:
        if identity not in by_id:
            raise SnapshotNotFound(f"there is no snapshot {identity.hex()}", hint="see `icc-store list`")
    return [by_id[identity] for identity in dict.fromkeys(wanted)]


def _full_sources(snapshots: Iterable[Snapshot]) -> set[str]:
    """Sources that have a full snapshot which is not forgotten."""
    return {
        one.record.source for one in snapshots if one.forgotten_ns is None and one.record.kind is SnapshotClass.FULL
    }


def _called(snapshots: Sequence[Snapshot]) -> str:
    names = ", ".join(one.record.name or one.id.hex()[:12] for one in snapshots)
    return f"{names} is" if len(snapshots) == 1 else f"{names} are"


def _listed(sources: Iterable[str]) -> str:
    return ", ".join(repr(source) for source in sorted(sources))
