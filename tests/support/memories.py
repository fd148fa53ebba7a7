"""Whole memories: a few files, as ordinary as they come, and as odd as they may get."""

from __future__ import annotations

import os
from pathlib import Path

from benchmarks.corpora.memory import build
from tests.support.entities import entity_file

SEED = 17
MTIME = 1_700_000_000_123_456_789

MEMORY: dict[str, bytes] = {
    **dict(entity_file(f"fact{number}-20250603") for number in range(3)),
    "config/settings.json": b'{"version": "2.0"}\n',
    "relationships/knowledge-links.json": b'{"relationships": {}}\n',
    "notes\nof two lines.md": b"# odd name\n",
}
"""Stored paths and contents."""


def make_memory(top: Path, entities: int = 40) -> Path:
    """A generated memory: entities, indexes, relationships, configuration."""
    build(top, entities, SEED)
    return top


def make_odd_memory(top: Path) -> Path:
    """A memory with names, links and files that a listing of names and digests has to get right."""
    make_memory(top, 20)
    here = os.fsencode(top)
    os.mkdir(here + b"/entities/odd")
    names = (
        b"new\nline",
        b"back\\slash",
        b"both\\\n",
        b"return\r",
        b"\xff\xfe not UTF-8",
        "é".encode(),
        b" blank ",
        b"-dash",
        b"a",
        b"a-",
        b"a.json",
    )
    for name in names:
        _write(here + b"/entities/odd/" + name, b"called " + name)
    os.mkdir(here + b"/entities/odd/a0")
    _write(here + b"/entities/odd/a0/below", b"")  # its path comes after `a.json`, its directory's name before
    os.mkdir(here + b"/odd\\dir\n")
    _write(here + b"/odd\\dir\n/\xff", b"1")
    os.symlink(b"../entities", here + b"/config/link")
    os.symlink(b"\xff\n", here + b"/config/link to bytes")
    os.link(here + b"/config/settings.json", here + b"/a second name")
    os.link(here + b"/config/settings.json", here + b"/entities/a third name")
    _write(here + b"/large", bytes(range(256)) * 12_000)
    _write(here + b"/sparse", b"")
    os.truncate(here + b"/sparse", 5_000_000)
    for directory in (b"/entities/odd/a0", b"/entities/odd", b"/entities", b"/config", b"/odd\\dir\n", b""):
        os.utime(here + directory, ns=(MTIME, MTIME))
    return top


def _write(path: bytes, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
    os.utime(path, ns=(MTIME, MTIME))
