"""A tree that changes, and the snapshots of it: what repair and salvage must bring back, and what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from icc_store.clock import FixedClock
from icc_store.model.record import Snapshot, Subject
from icc_store.model.repository import Repository
from icc_store.opening import open_repository
from icc_store.operations.forget import forget
from tests.support.live import Contents, clean, fill, snap
from tests.support.shelf import noise, words

Versions = list[tuple[Snapshot, Contents]]
"""Snapshots from the oldest to the newest, and what each of them holds."""

FILES: Contents = {f"d{number % 3}/{number:03}": words(number, 4000) for number in range(40)}
FILES |= {"large": noise(1, 3_000_000)}


@contextmanager
def opened(path: Path, clock: FixedClock) -> Iterator[Repository]:
    """A repository, with this clock."""
    with open_repository(path, clock=clock) as repository:
        yield repository


def make_versions(path: Path, source: Path, clock: FixedClock, *, count: int) -> Versions:
    """So many snapshots in an empty repository, a minute apart, after one that gc has removed.

    What that leaves is needed by deltas alone. The first that is left has a tag and is pinned.
    """
    kept: Versions = []
    files = dict(FILES)
    with opened(path, clock) as repository:
        for version in range(count + 1):
            files |= {f"d0/{number:03}": files[f"d0/{number:03}"] + b"%d" % version for number in range(0, 30, 3)}
            files[f"new {version}"] = words(900 + version, 3000)
            fill(source, files)
            clock.sleep(60)
            kept.append((snap(repository, source), dict(files)))
        removed, first = kept.pop(0)[0], kept[0][0]
        repository.annotate_all([(first.id, Subject.TAG, "good"), (first.id, Subject.PIN, True)])
        forget(repository, [removed.id])
        clean(repository)
        assert removed.id not in {one.id for one in repository.snapshots(forgotten=True)}
    return kept
