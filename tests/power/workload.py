"""The run that is recorded: all that changes repositories, with a mark wherever something has just been promised.

A mark is what must be true from then on: each repository's snapshots and what is said about them. After a promise the
work has returned; what is only seen may have been left by a process that died, and is promised by nobody.
"""

from __future__ import annotations

import ctypes
import json
import sys
from pathlib import Path
from typing import Any

from icc_store.clock import FixedClock
from icc_store.model.header import HEADER_NAME, read_header
from icc_store.model.repository import Repository
from icc_store.opening import create_copy, create_repository, open_for_repair, open_repository
from icc_store.operations.annotate import TagOptions, note, pin, tag
from icc_store.operations.copy import copy_repository
from icc_store.operations.forget import ForgetOptions, forget, undelete
from icc_store.operations.parity import turn_on
from icc_store.operations.repair import rebuild
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from tests.support.labour import files_of
from tests.support.live import DAY, KEEP_ALL, NOW, clean, fill

View = dict[str, list[Any]]
"""Of each snapshot, by its name: whether it is forgotten, its tags, its pin and its note."""

LIFE = 100
"""Snapshots of one life are numbered from a multiple of this on."""

PERMILLE = 50

MAIN, COPY = "main", "second/disk/copy"
"""Where the repositories are; the copy stands below directories that are made for it."""


def view_of(repository: Repository) -> View:
    """What a repository shows."""
    return {
        one.record.name: [one.forgotten_ns is not None, sorted(one.tags), one.pinned, one.note]
        for one in repository.snapshots(forgotten=True)
    }


class Workload:
    """`top` holds the repositories; what is backed up stands beside it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.main, self.second = top / MAIN, top / COPY
        self.source = top.with_name(top.name + " source")
        self.clock = FixedClock(NOW)

    def mark(self, kind: str, main: Repository | None = None) -> None:
        """Say in the recording what holds now; `main` is the main repository where this process has it open."""
        views = {MAIN: self._view(MAIN, main), COPY: self._view(COPY, None)}
        ctypes.CDLL(None).power_mark(json.dumps({"kind": kind, "views": views}).encode())

    def _view(self, name: str, repository: Repository | None) -> View | None:
        if repository is not None:
            return view_of(repository)
        if not (self.top / name / HEADER_NAME).exists():
            return None
        with open_repository(self.top / name, readonly=True) as found:
            return view_of(found)

    def begin(self, start: int) -> None:
        """Make the repository, with parity in every second life, and its copy."""
        create_repository(self.main)
        self.mark("promised")
        if start // LIFE % 2:
            with open_repository(self.main, clock=self.clock, exclusive=True) as repository:
                turn_on(repository, PERMILLE)
            self.mark("promised")
        self.snapshot(start)
        self.snapshot(start + 1)
        self.copy()

    def go_on(self, start: int) -> None:
        """Everything that changes a repository, once or more."""
        for number in range(start, start + 3):
            self.snapshot(number)
        self.annotate()
        self.copy()
        self.forget(undo=True)
        self.clock.sleep(3 * DAY)
        self.gc()
        self.snapshot(start + 3)
        self.forget()
        self.compact()
        self.repair()
        self.snapshot(start + 4)
        self.copy()

    def snapshot(self, number: int) -> None:
        """Take one snapshot."""
        name = f"home {number}"
        fill(self.source, files_of(name))
        with open_repository(self.main, clock=self.clock) as repository:
            options = SnapshotOptions(name=name, source="home", host="here")
            take_snapshot(repository, [self.source], options=options, clock=self.clock)
        self.mark("promised")

    def copy(self) -> None:
        """Bring the copy up to date; it is made when it is missing."""
        create_copy(self.second, read_header(self.main))
        self.mark("promised")
        with (
            open_repository(self.main, readonly=True) as repository,
            open_repository(self.second, clock=self.clock) as target,
        ):
            copy_repository(repository, target)
        self.mark("promised")

    def annotate(self) -> None:
        """Say something of each kind about the newest snapshots."""
        with open_repository(self.main, clock=self.clock) as repository:
            *_, one, other = repository.snapshots()
            tag(repository, [one.id, other.id], TagOptions(add=("kept", f"seq {one.record.seq}")))
            self.mark("promised", main=repository)
            pin(repository, [other.id])
            self.mark("promised", main=repository)
            note(repository, other.id, "before the move")
            self.mark("promised", main=repository)
            pin(repository, [other.id], on=False)
        self.mark("promised")

    def forget(self, *, undo: bool = False) -> None:
        """Forget the oldest two snapshots; `undo` brings the second one back."""
        with open_repository(self.main, clock=self.clock) as repository:
            old = [one.id for one in repository.snapshots()[:2]]
            forget(repository, old, options=ForgetOptions(purge=not undo))
            self.mark("promised", main=repository)
            if undo:
                undelete(repository, old[1:])
                self.mark("promised", main=repository)

    def gc(self) -> None:
        """Remove what was forgotten."""
        with open_repository(self.main, clock=self.clock) as repository:
            collect(repository, 24)
        self.mark("promised")

    def compact(self) -> None:
        """Remove what was purged and shrink the file."""
        with open_repository(self.main, clock=self.clock, exclusive=True) as repository:
            collect(repository, 0)
            self.mark("promised", main=repository)
            repository.compact()
        self.mark("promised")

    def repair(self) -> None:
        """Make everything anew that is derived from blocks, in a database that takes the old one's place."""
        with open_for_repair(self.main, clock=self.clock) as repairing:
            listed = repairing.rescued.listed_snapshots, repairing.rescued.listed_annotations
            result = rebuild(repairing.repository, *listed, damaged=self.main, clock=self.clock)
            assert not result.check.findings
            repairing.take_place()
        self.mark("promised")


def collect(repository: Repository, hours: int) -> None:
    """gc by which nothing is forgotten."""
    clean(repository, policy=KEEP_ALL, hours=hours)


def main(folder: str, what: str, start: str) -> None:
    """Called by `record`."""
    work = Workload(Path(folder))
    work.mark("seen")
    if what == "begin":
        work.begin(int(start))
    work.go_on(int(start) + 2)


if __name__ == "__main__":
    main(*sys.argv[1:])
