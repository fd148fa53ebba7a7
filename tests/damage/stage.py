"""A small repository to be damaged, and all that must come back of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from icc_store.clock import FixedClock
from icc_store.model.record import Subject
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import forget
from tests.support.live import Contents, clean, fill, new_clock, snap
from tests.support.shelf import noise, words

NAMES = ("data.mdb", "head", "repository.json")
"""The files that a repository cannot do without."""

_FILES = {f"d{number}/{number}": words(number, 900) for number in range(3)} | {"noise": noise(1, 2500)}
_COMPACTED = 2
"""After that snapshot the file is written anew: so it is small, and holds a few free pages of the last one."""


@dataclass(frozen=True)
class Stage:
    """A sound repository, as bytes."""

    whole: Mapping[str, bytes]
    older: bytes
    """Its database before the last snapshot."""
    foreign: bytes
    """The header of another repository."""
    versions: Mapping[bytes, Contents]
    """The snapshots by their ids, and what is in them; the last one is the newest."""
    removed: bytes
    """The id of one that gc removed."""
    source: Contents

    def put(self, folder: Path) -> None:
        """Write the repository, undamaged."""
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "writers").mkdir(parents=True, mode=0o700)
        for name, data in self.whole.items():
            (folder / name).write_bytes(data)


def make_stage(folder: Path, snapshots: int = 3) -> Stage:
    """So many snapshots, the first with a tag and a note, after one that was removed; most of them in deltas.

    From 30 or so on there are more than 64 blocks, which verify has several processes read.
    """
    clock: FixedClock = new_clock()
    repository, source = folder / "made", folder / "source"
    create_repository(repository)
    create_repository(folder / "other")
    versions: dict[bytes, Contents] = {}
    older = b""
    files: Contents = {}
    for number in range(snapshots + 1):
        older = (repository / "data.mdb").read_bytes()
        files = _FILES | {f"d1/{number}": words(number, 1500) + b"%d" % number, "new": words(70, 2000)[number * 9 :]}
        fill(source, files)
        clock.sleep(60)
        with open_repository(repository, clock=clock) as opened:
            made = snap(opened, source)
            versions[made.id] = dict(files)
            if number == _COMPACTED:
                opened.compact()
            if number == 1:
                forget(opened, [next(iter(versions))])
                clean(opened)
                opened.annotate_all([(made.id, Subject.TAG, "good"), (made.id, Subject.NOTE, "kept")])
    removed = next(iter(versions))
    del versions[removed]
    return Stage(
        {name: (repository / name).read_bytes() for name in NAMES},
        older,
        (folder / "other/repository.json").read_bytes(),
        versions,
        removed,
        files,
    )
