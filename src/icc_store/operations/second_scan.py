"""The second scan of a large tree (fs/backward_scan.py), in a process of its own.

Python runs one thread at a time, and looking at a file, reading it and storing it is half Python. So where there is
much to do, a child scans the same tree from its end, and the two meet. It reads the repository, and writes nothing:
what is to be stored goes through a pipe to the scan that counts. A child that dies leaves the rest to that one.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from icc_store.fs.backward_scan import BackwardScan, Listener
from icc_store.fs.live_copies import SqliteCopies
from icc_store.fs.meeting import Meeting, Side
from icc_store.fs.scan_state import ScanOptions
from icc_store.fs.scanner import Scanner
from icc_store.fs.second_scan import FoundPart
from icc_store.fs.watcher import Watcher
from icc_store.model.repository import Repository, Run
from icc_store.model.side_run import SideRun
from icc_store.operations.crew import Crew, Job, Tell, hire

_SCANS = 2
"""Processors that scan. Where there are no more, nobody else compresses: that cost 7 % of a first snapshot."""

MakeWatcher = Callable[[SideRun], Watcher | None]
"""Makes who looks at the files, in the child."""


class ForkedScan:
    """The child, as the scan that counts sees it."""

    def __init__(self, crew: Crew, heard: deque[Any], meeting: Meeting, run: Run) -> None:
        """`heard` is what the child has said."""
        self._crew: Crew | None = crew
        self._meeting = meeting
        self._run = run
        self._heard = heard
        self._found: dict[bytes, FoundPart | None] = {}

    def begin(self, place: bytes) -> FoundPart | None:
        """As SecondScan.begin. Raises CollectedMeanwhile."""
        self._meeting.begin(Side.FORWARD, place)
        self._take_in(wait=False)
        while place not in self._found and self._crew is not None and self._meeting.at(Side.BACKWARD) == place:
            self._take_in(wait=True)
        return self._found.pop(place, None)

    def listen(self) -> None:
        """As SecondScan.listen. Raises CollectedMeanwhile."""
        self._take_in(wait=False)

    def close(self) -> None:
        """End the child."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def _take_in(self, *, wait: bool) -> None:
        try:
            if self._crew is not None and not self._crew.listen(wait=wait):
                self.close()
        except Exception:  # noqa: BLE001 - whatever the child has met, the scan that counts will meet if it is real
            self.close()
        while self._heard:
            first, second = self._heard.popleft()
            if not isinstance(first, bytes):
                self._run.writer.take(first, second)
                continue
            if second is not None:  # right behind the chunks that its tree names, and while the child still works
                for kind, data, bases in second.objects:
                    self._run.writer.add(kind, data, bases=bases)
                second = replace(second, objects=())
            self._found[first] = second


def second_scan(
    repository: Repository,
    run: Run,
    root: tuple[int, bytes],
    options: ScanOptions,
    copies: SqliteCopies,
    *,
    level: int,
    make_watcher: MakeWatcher,
) -> ForkedScan | None:
    """Begin a second scan of a root: an open directory and its stored path. None where there can be no child."""
    # A child would have only one of the threads, and what the others held.
    run.writer.rest(at_most=max((os.cpu_count() or 1) - _SCANS, 0))
    meeting = Meeting()

    def work(_jobs: Iterator[Job], tell: Tell) -> None:
        repository.open_for_reading()
        side = SideRun(repository, level, lambda frames, places: tell((frames, places)))
        listener = Listener()
        scanner = Scanner(side, options, copies, listener, watcher=make_watcher(side))
        BackwardScan(scanner, side, listener, meeting, lambda place, found: tell((place, found))).scan(*root)

    heard: deque[Any] = deque()
    crew = hire(repository, 1, work, heard.append)
    return ForkedScan(crew, heard, meeting, run) if crew is not None else None
