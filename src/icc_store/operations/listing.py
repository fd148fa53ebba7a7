"""Which snapshots there are."""

from __future__ import annotations

from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.quick_dataclass import dataclass


@dataclass(frozen=True)
class ListOptions:
    """Which snapshots to list: those that fit all of it."""

    tags: tuple[str, ...] = ()
    """Tags that a snapshot must have, all of them."""
    source: str | None = None
    name: str | None = None
    last: int | None = None
    """Only the newest so many of what fits."""
    forgotten: bool = False
    """Forgotten ones as well."""


@dataclass(frozen=True)
class Listing:
    """Snapshots in the order they were committed, and how many there are in all."""

    snapshots: tuple[Snapshot, ...]
    total: int
    forgotten: int
    """How many of all are forgotten, listed or not."""


def list_snapshots(repository: Repository, options: ListOptions = ListOptions()) -> Listing:
    """The snapshots that fit the options."""
    everything = repository.snapshots(forgotten=True)
    wanted = set(options.tags)
    found = [
        one
        for one in everything
        if (options.forgotten or one.forgotten_ns is None)
        and wanted <= set(one.tags)
        and options.source in (None, one.record.source)
        and options.name in (None, one.record.name)
    ]
    if options.last is not None:
        found = found[-options.last :] if options.last > 0 else []
    return Listing(tuple(found), len(everything), sum(one.forgotten_ns is not None for one in everything))
