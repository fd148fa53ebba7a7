"""Stored paths: bytes, relative, separated by `/`, without empty parts, `.` or `..`. The root is b""."""

from __future__ import annotations

import os


def join(parent: bytes, name: bytes) -> bytes:
    """The path of `name` in `parent`."""
    return parent + b"/" + name if parent else name


def parts(path: bytes) -> list[bytes]:
    """The names along a path; empty for the root."""
    return path.split(b"/") if path else []


def is_within(path: bytes, parent: bytes) -> bool:
    """Whether `path` is `parent` or below it."""
    return not parent or path == parent or path.startswith(parent + b"/")


def is_stored_path(path: object) -> bool:
    """Whether this is the stored path of something below the root."""
    if type(path) is not bytes or b"\0" in path:
        return False
    return not any(name in (b"", b".", b"..") for name in path.split(b"/"))


def normalise(text: str | bytes) -> bytes:
    """The stored path a user means. Raises ValueError for `..`, which no stored path has."""
    raw = os.fsencode(text)
    names = [name for name in raw.split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise ValueError(f"a stored path has no '..': {text!r}")
    return b"/".join(names)


def display(path: bytes) -> str:
    """A path as people read it: bytes that are not UTF-8, and control characters, as \\xNN."""
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text)
