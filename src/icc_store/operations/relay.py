"""A monitor in a child process: what it hears goes to the parent, a little at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from icc_store.clock import Clock
from icc_store.monitor import Monitor

_INTERVAL = 0.05
"""Seconds between two reports on how far the work has come."""


class Relay(Monitor):
    """Sends what it hears to another process, as the name of the method and its arguments."""

    def __init__(self, send: Callable[[str, tuple[Any, ...]], None], clock: Clock) -> None:
        self._send = send
        self._clock = clock
        self._next = 0.0
        self._files = self._size = 0
        self._path = b""

    def phase(self, name: str) -> None:
        self._tell("phase", name)

    def advance(self, files: int, size: int, path: bytes) -> None:
        self._files += files
        self._size += size
        self._path = path or self._path
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + _INTERVAL
            self.flush()

    def warning(self, path: bytes, message: str) -> None:
        self._tell("warning", path, message)

    def note(self, message: str) -> None:
        self._tell("note", message)

    def waiting(self, holder: str) -> None:
        self._tell("waiting", holder)

    def flush(self) -> None:
        """Say how far the work has come since that was said last."""
        if self._files or self._size:
            files, size, self._files, self._size = self._files, self._size, 0, 0
            self._send("advance", (files, size, self._path))

    def _tell(self, name: str, *arguments: Any) -> None:
        self.flush()
        self._send(name, arguments)
