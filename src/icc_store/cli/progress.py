"""Progress on stderr: one line that is drawn over itself on a terminal, or JSON lines for programs."""

from __future__ import annotations

import os
from collections import deque
from typing import Any, TextIO

from icc_store.cli.harmless import harmless
from icc_store.cli.output import path_fields, to_json
from icc_store.cli.settings import Settings
from icc_store.cli.text_width import shorten
from icc_store.cli.units import number, size
from icc_store.clock import Clock
from icc_store.model.paths import display
from icc_store.monitor import Monitor

_INTERVAL = 0.1
"""Seconds between two drawings; the first comes after five of them, so that quick commands draw nothing."""

_REMEMBERED = 10
"""Paths kept for a report on a failure."""

_CLEAR = "\r\x1b[K"


class ProgressMonitor(Monitor):
    """Prints notes and who is waited for, and nothing else: what is used where nobody watches."""

    def __init__(self, settings: Settings, stderr: TextIO) -> None:
        self._settings = settings
        self._stderr = stderr
        self._holder = ""
        self.last_phase = ""
        self.last_paths: deque[bytes] = deque(maxlen=_REMEMBERED)
        """Where the operation has come to, should it fail."""

    def phase(self, name: str) -> None:
        self.last_phase = name

    def advance(self, files: int, size: int, path: bytes) -> None:
        if path:
            self.last_paths.append(path)

    def warning(self, path: bytes, message: str) -> None:
        if self._settings.verbose:
            self._say(f"{display(path)}: {message}" if path else message)

    def note(self, message: str) -> None:
        if not self._settings.quiet:
            self._say(message)

    def waiting(self, holder: str) -> None:
        if holder != self._holder and not self._settings.quiet:
            self._say(f"waiting for {holder}")
        self._holder = holder

    def clear(self) -> None:
        """Make room for a line of somebody else."""

    def finish(self) -> None:
        """Nothing more comes; leave stderr as if nothing had been drawn."""
        self.clear()

    def _say(self, message: str) -> None:
        self._stderr.write(f"icc-store: {harmless(message)}\n")
        self._stderr.flush()


class TerminalMonitor(ProgressMonitor):
    """Draws one line with phase, files, bytes, speed and the current path."""

    def __init__(self, settings: Settings, stderr: TextIO, clock: Clock) -> None:
        super().__init__(settings, stderr)
        self._clock = clock
        self._drawn = False
        self._next = clock.monotonic() + _INTERVAL * 5
        self.phase("")

    def phase(self, name: str) -> None:
        super().phase(name)
        self._phase = name
        self._files = self._size = 0
        self._start = self._clock.monotonic()

    def advance(self, files: int, size: int, path: bytes) -> None:
        super().advance(files, size, path)
        self._files += files
        self._size += size
        if self._clock.monotonic() >= self._next:
            self._draw(path)

    def clear(self) -> None:
        if self._drawn:
            self._stderr.write(_CLEAR)
            self._stderr.flush()
            self._drawn = False

    def _draw(self, path: bytes) -> None:
        now = self._clock.monotonic()
        self._next = now + _INTERVAL
        speed = int(self._size / max(now - self._start, _INTERVAL))
        text = f"{number(self._files)} files  {size(self._size)}  {size(speed)}/s  {display(path)}"
        self._stderr.write(_CLEAR + shorten(f"{self._phase}  {text}" if self._phase else text, self._columns() - 1))
        self._stderr.flush()
        self._drawn = True

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stderr.fileno()).columns or 80
        except OSError:
            return 80

    def _say(self, message: str) -> None:
        self.clear()
        super()._say(message)


class JsonMonitor(ProgressMonitor):
    """Writes one JSON object per line: phases, warnings, notes, and progress ten times a second at most."""

    def __init__(self, settings: Settings, stderr: TextIO, clock: Clock) -> None:
        super().__init__(settings, stderr)
        self._clock = clock
        self._files = self._size = 0
        self._next = 0.0
        self._phase = ""
        self._last: bytes | None = None

    def phase(self, name: str) -> None:
        super().phase(name)
        self._progress()
        self._phase = name
        self._files = self._size = 0
        self._event("phase", phase=name)

    def advance(self, files: int, size: int, path: bytes) -> None:
        super().advance(files, size, path)
        self._files += files
        self._size += size
        self._last = path
        if self._clock.monotonic() >= self._next:
            self._next = self._clock.monotonic() + _INTERVAL
            self._progress()

    def warning(self, path: bytes, message: str) -> None:
        self._event("warning", **path_fields(path), message=message)

    def note(self, message: str) -> None:
        self._event("note", message=message)

    def waiting(self, holder: str) -> None:
        if holder != self._holder:
            self._event("waiting", holder=holder)
        self._holder = holder

    def finish(self) -> None:
        self._progress()

    def _progress(self) -> None:
        if self._last is not None:
            path, self._last = self._last, None
            self._event("progress", phase=self._phase, files=self._files, bytes=self._size, **path_fields(path))

    def _event(self, event: str, **fields: Any) -> None:
        self._stderr.write(to_json({"event": event, **fields}) + "\n")
        self._stderr.flush()


def make_monitor(settings: Settings, stderr: TextIO, clock: Clock) -> ProgressMonitor:
    """The monitor that the options and the terminal ask for."""
    if settings.progress == "json":
        return JsonMonitor(settings, stderr, clock)
    if settings.progress == "auto" and not settings.quiet and stderr.isatty():
        return TerminalMonitor(settings, stderr, clock)
    return ProgressMonitor(settings, stderr)
