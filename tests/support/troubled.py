"""Compressors with which something is wrong, and somebody who remembers what was said about it."""

from __future__ import annotations

import ctypes

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
        self.calls = 0
        self._fails = calls
        self._error = error or RuntimeError("the compressor broke")

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        self.calls += 1
        if not self._fails or self.calls in self._fails:
            raise self._error
        return compress(data, level, prefix)


class Lying(Failing):
    """Gives, at those calls, what does not decode to what went in."""

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        self.calls += 1
        if not self._fails or self.calls in self._fails:
            return compress(bytes(len(data)), level, prefix)
        return compress(data, level, prefix)


class Spoiling(Failing):
    """Changes, at those calls, a bit of what it was given, as memory does that is broken."""

    def __call__(self, data: bytes, level: int, prefix: bytes = b"") -> bytes:
        self.calls += 1
        done = compress(data, level, prefix)
        if not self._fails or self.calls in self._fails:
            ctypes.memset(id(data) + _BYTES_HEAD, data[0] ^ 1, 1)
        return done
