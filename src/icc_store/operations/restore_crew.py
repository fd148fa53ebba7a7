"""Restoring with several processes: one makes the directories, the others fill them.

Making 100,000 files is half system calls, which run side by side, and half Python, which does not. So whoever goes
through the trees makes each directory, goes into it, and hands it over by its descriptor: a child writes the files in
it and gives it its mode and times. No child ever looks up a path, so there is none that somebody could redirect.
Only directories that were missing are handed over, and none in which a hard link is to be made.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from icc_store.clock import Clock
from icc_store.errors import DamageError
from icc_store.fs.directory_writer import DirectoryWriter, Tools, make_tools
from icc_store.fs.metadata_writer import Skipped
from icc_store.limits import MAX_JOB_DESCRIPTORS
from icc_store.model.entry import SUBTREE
from icc_store.model.repository import Repository
from icc_store.model.tree import tree_parts
from icc_store.monitor import Monitor
from icc_store.operations.crew import Crew, Job, Tell, hire
from icc_store.operations.placement import Scope
from icc_store.operations.relay import Relay
from icc_store.operations.restore_files import Directory, Done, FileRestorer
from icc_store.operations.restore_plan import Action, LinkLeaders, RestorePlan

_SIZE = 2
"""Children. The journal of the file system lets no more than that make files side by side, and each takes memory."""

_FILES_PER_JOB = 256
"""Files from which on directories are handed over: what a job costs beside is then a hundredth of it."""


@dataclass(frozen=True)
class Setting:
    """What children need to know beside their jobs."""

    plan: RestorePlan
    umask: int
    time_ns: int | None


class RestoreCrew:
    """Children that fill directories."""

    def __init__(self, crew: Crew, here: Callable[[Directory, int], None]) -> None:
        """`here` fills a directory in this process."""
        self.skipped = Skipped()
        self._crew = crew
        self._here = here
        self._waiting: list[Directory] = []
        self._descriptors: list[int] = []
        self._count = 0

    def fill(self, directory: Directory, fd: int, files: int) -> None:
        """Have a directory of so many files filled and settled. Its descriptor is closed here."""
        self._waiting.append(directory)
        self._descriptors.append(fd)
        self._count += files
        if self._count >= _FILES_PER_JOB or len(self._waiting) == MAX_JOB_DESCRIPTORS:
            self._give()

    def wait(self) -> None:
        """Until all that was handed over is done."""
        self._give()
        self._crew.wait()

    def finish(self) -> None:
        """The same, and end."""
        self._give()
        for skipped in self._crew.finish():
            self.skipped.add(skipped)

    def close(self) -> None:
        """Close what was not handed over."""
        for fd in self._descriptors:
            os.close(fd)
        self._descriptors.clear()

    def _give(self) -> None:
        if not self._waiting:
            return
        try:
            if not self._crew.give(self._waiting, self._descriptors):  # their paths are of kilobytes
                for directory, fd in zip(self._waiting, self._descriptors, strict=True):
                    self._here(directory, fd)
        finally:
            self._waiting, self._count = [], 0
            self.close()


@contextmanager
def restore_crew(
    repository: Repository, setting: Setting, files: FileRestorer, monitor: Monitor, clock: Clock
) -> Iterator[RestoreCrew | None]:
    """Children that restore into directories, where there can be any; `files` keeps account of what they do."""

    def work(jobs: Iterator[Job], tell: Tell) -> Skipped:
        repository.open_for_reading()
        return _fill_all(repository, setting, jobs, tell, clock)

    def hear(said: Any) -> None:
        if isinstance(said, Done):
            for action, count in said.counts.items():
                files.done.counts[action] += count
            files.done.size += said.size
            files.done.checked += said.checked
            for failure in said.failures:
                files.note(failure)
        else:
            name, arguments = said
            getattr(monitor, name)(*arguments)

    crew = hire(repository, _SIZE, work, hear)
    if crew is None:
        yield None
        return
    with crew:
        tools = make_tools(setting.umask, numeric_ids=setting.plan.options.numeric_ids)
        found = RestoreCrew(crew, lambda directory, fd: _fill(repository, directory, fd, tools, files))
        try:
            yield found
        finally:
            found.close()


def _fill_all(repository: Repository, setting: Setting, jobs: Iterator[Job], tell: Tell, clock: Clock) -> Skipped:
    """What a child does: fill directories until there are no more."""
    tools = make_tools(setting.umask, numeric_ids=setting.plan.options.numeric_ids)

    def send(name: str, arguments: tuple[Any, ...]) -> None:
        if name != "warning":  # the parent gives them with the failures
            tell((name, arguments))

    relay = Relay(send, clock)
    nothing = LinkLeaders(Scope((), (b"",)))
    files = FileRestorer(repository, setting.plan, nothing, relay, time_ns=setting.time_ns)
    for job in jobs:
        try:
            for directory, fd in zip(job.what, job.descriptors, strict=True):
                try:
                    _fill(repository, directory, fd, tools, files)
                finally:
                    os.close(fd)
        finally:  # also what was done until the disk was full
            relay.flush()
            tell(files.done)
            files.done = Done()
    return tools.metadata.skipped


def _fill(repository: Repository, directory: Directory, fd: int, tools: Tools, files: FileRestorer) -> None:
    here = DirectoryWriter(fd, directory.nature, tools)
    path, entry = directory.path, directory.entry
    try:
        for _, part in tree_parts(repository.objects, directory.tree):
            todo = [(wire, Action.MAKE) for wire in part.entries if SUBTREE not in wire]
            files.files(here, path, todo, part.owners, lambda _path, _action: None)
    except DamageError as error:
        files.fail(path, error.message, damage=True)
    try:
        here.settle(files.complete(here, path, entry), directory.owners, None)
        files.done.counts[directory.action] += 1
    except OSError as error:
        files.fail_os(path, error)
