"""Compressors with which something is wrong, and somebody who remembers what was said about it."""

from __future__ import annotations

import ctypes
from itertools import count

from icc_store.codec.compression import compress
from icc_store.monitor import Monitor

_BYTES_HEAD = bytes.__basicsize__ - 1


class Notes(Monitor):
    """Keeps notes and warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)

    def warning(self, path: bytes, message: str) -> None:
        self.said.append(message)


class Failing:
    """Raises at the calls that are named; all of them when none is."""

    def __init__(self, *calls: int, error: Exception | None = None) -> None:
        self._calls = count(1)
        self._fails = calls
        self._error = error or RuntimeError("the compressor broke")

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        if self._is_due():
            raise self._error
        return compress(data, level, prefix)

    def _is_due(self) -> bool:
        """Whether this call is one of them. Asked once in each, by several threads."""
        return next(self._calls) in self._fails or not self._fails


class Lying(Failing):
    """Gives, at those calls, what does not decode to what went in."""

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        if self._is_due():
            return compress(bytes(len(data)), level, prefix)
        return compress(data, level, prefix)


class Spoiling(Failing):
    """Changes, at those calls, a bit of what it was given, as memory does that is broken."""

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        is_due = self._is_due()
        done = compress(data, level, prefix)
        if is_due:
            ctypes.memset(id(data) + _BYTES_HEAD, data[0] ^ 1, 1)
        return done
