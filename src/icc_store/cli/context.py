"""What a command works with: the repository that is meant, where to print, who is told about progress, the clock."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self, TextIO

from icc_store.cli.output import Output
from icc_store.cli.progress import ProgressMonitor, make_monitor
from icc_store.cli.settings import Settings
from icc_store.cli.units import plural
from icc_store.clock import SYSTEM_CLOCK, Clock
from icc_store.config import Config, RepositoryChoice, choose_repository, read_config, settings_for
from icc_store.errors import RepositoryNotFound

if TYPE_CHECKING:
    from icc_store.config.settings import Settings as MemorySettings
    from icc_store.model.repository import Repository
    from icc_store.model.unread import Unread
    from icc_store.monitor import Monitor


class Context:
    """Given to every command by `@click.pass_obj`."""

    def __init__(
        self, environ: Mapping[str, str], stdout: TextIO, stderr: TextIO, *, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self.environ = environ
        self.clock = clock
        self.stdout = stdout
        self.stderr = stderr
        self.settings = Settings()
        self.command: str | None = None
        """The name of the command, once it is known."""
        self.met_damage = False
        """Whether damage was told that did not keep the command from its work: its exit code has to say so too."""
        self._process = os.getpid()
        self._memory_settings: dict[Path | None, MemorySettings] = {}

    @classmethod
    @contextmanager
    def of_process(cls, environ: Mapping[str, str]) -> Iterator[Self]:
        """The context of this process. A stream that is closed goes nowhere; no locale makes printing fail."""
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            streams = [stream or nowhere for stream in (sys.stdout, sys.stderr)]
            for stream in streams:
                if isinstance(stream, io.TextIOWrapper):
                    stream.reconfigure(errors="backslashreplace")
            context = cls(environ, *streams)
            try:
                yield context
            finally:
                context.monitor.finish()

    @cached_property
    def output(self) -> Output:
        """Where results are printed, as text or JSON."""
        return Output(self.settings, self.stdout, self.stderr, self.environ, clear=self.monitor.clear)

    @cached_property
    def monitor(self) -> ProgressMonitor:
        """Who is told how an operation goes on."""
        return make_monitor(self.settings, self.stderr, self.clock)

    @cached_property
    def config(self) -> Config:
        """What the configuration file says. Raises ConfigError."""
        return read_config(self.environ)

    @cached_property
    def repository(self) -> RepositoryChoice:
        """The repository that is meant; nothing is opened yet. Raises ConfigError, UsageError."""
        return choose_repository(self.settings.repo, self.environ, self.config)

    def memory_settings(self, memory: Path | None) -> MemorySettings:
        """The settings that hold for a memory, or where none is meant. Raises ConfigError for those that the user set.

        What is wrong in the memory's own files is a warning on stderr, once, and defaults stand for it.
        """
        known = self._memory_settings.get(memory)
        if known is None:
            known = self._memory_settings[memory] = settings_for(memory, self.environ, self.config)
            self.output.warnings(
                [(b"", f"{problem}; the default stands for what it should say") for problem in known.problems]
            )
        return known

    @contextmanager
    def open(
        self, *, readonly: bool = False, exclusive: bool = False, monitor: Monitor | None = None
    ) -> Iterator[Repository]:
        """The repository that is meant, open in the body. Raises what `opening.open_repository` raises."""
        from icc_store.cli.last_words import last_words  # here, as what it reports with
        from icc_store.opening import open_repository

        choice = self.repository
        if choice.made_at_first_use:
            raise RepositoryNotFound(
                f"there is no repository yet at {choice.path}",
                hint="`icc-store snapshot` makes it at first use; --repo DIR names another",
            )
        opened = open_repository(
            choice.path, monitor=monitor or self.monitor, clock=self.clock, readonly=readonly, exclusive=exclusive
        )
        with last_words(self) if os.getpid() == self._process else nullcontext(), opened as repository:
            try:
                yield repository
            finally:
                self._tell_of_unread(repository.unread)

    def _tell_of_unread(self, unread: Unread) -> None:
        """Warn of records and annotations that were passed over."""
        lost = [each.error for each in unread.snapshots]
        told = [f"{error.message}; other snapshots are not concerned ({error.hint})" for error in lost]
        if unread.annotations:
            count = plural(len(unread.annotations), "annotation")
            what = f"{count} (tags, notes, pins, what is forgotten) cannot be read; the rest is right"
            told.append(f"{what} (run `icc-store verify`, which lets go of those)")
        self.met_damage = self.met_damage or bool(told)
        self.output.warnings([(b"", each) for each in told])

    @contextmanager
    def open_or_make(self) -> Iterator[Repository]:
        """The same for commands that add a snapshot: the default repository is made when it is missing."""
        choice = self.repository
        if choice.made_at_first_use:
            from icc_store.opening import create_repository

            create_repository(choice.path)
            self.monitor.note(f"made a new repository at {choice.path}")
            self.repository = RepositoryChoice(choice.path)
        with self.open() as repository:
            yield repository
