"""An independent comparison of two directory trees; uses nothing of the program under test."""

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Fidelity(Enum):
    """What a program promises to bring back."""

    CONTENT = "names and bytes"
    METADATA = "names, bytes, modes, owners and modification times"


@dataclass(frozen=True, slots=True)
class Entry:
    """One file system object. `digest` is over file bytes or link target, empty for a directory."""

    kind: str
    digest: bytes
    mode: int
    owner: tuple[int, int]
    mtime_ns: int


_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "symlink"}

Tree = dict[bytes, Entry]


def read_tree(root: Path) -> Tree:
    """Read everything below `root`; keys are paths relative to it."""
    base = os.fsencode(root)
    return {os.path.relpath(path, base): _read_entry(path) for path in _walk(base)}


def read_all(root: Path) -> None:
    """Read every file below `root`, so that the system has it in its cache. borg drops from there what it has read."""
    buffer = bytearray(1 << 20)
    for path in _walk(os.fsencode(root)):
        with suppress(FileNotFoundError):  # a live database has files that come and go
            if stat.S_ISREG(os.lstat(path).st_mode):
                with open(path, "rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass


def _walk(base: bytes) -> Iterator[bytes]:
    for directory, subdirectories, files in os.walk(base):
        for name in (*subdirectories, *files):
            yield os.path.join(directory, name)


def _read_entry(path: bytes) -> Entry:
    status = os.lstat(path)
    kind = _KINDS.get(stat.S_IFMT(status.st_mode), "special")
    digest = b""
    if kind == "file":
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, hashlib.blake2b).digest()
    elif kind == "symlink":
        digest = os.readlink(path)
    return Entry(kind, digest, stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid), status.st_mtime_ns)


def differences(expected: Tree, actual: Tree, fidelity: Fidelity) -> list[str]:
    """Describe what of `expected` did not come back, and what came back beyond it."""
    wanted, found = (_promised(tree, fidelity) for tree in (expected, actual))
    lines = [f"missing: {os.fsdecode(path)}" for path in sorted(wanted.keys() - found.keys())]
    lines += [f"unexpected: {os.fsdecode(path)}" for path in sorted(found.keys() - wanted.keys())]
    for path in sorted(wanted.keys() & found.keys()):
        aspects = _unequal_aspects(wanted[path], found[path], fidelity)
        if aspects:
            lines.append(f"{', '.join(aspects)}: {os.fsdecode(path)}")
    return lines


def _promised(tree: Tree, fidelity: Fidelity) -> Tree:
    if fidelity is Fidelity.METADATA:
        return tree
    return {path: entry for path, entry in tree.items() if entry.kind != "directory"}


def _unequal_aspects(wanted: Entry, found: Entry, fidelity: Fidelity) -> list[str]:
    aspects = ["kind", "digest"]
    if fidelity is Fidelity.METADATA:
        aspects += ["mode", "owner", "mtime_ns"]
    return [name for name in aspects if getattr(wanted, name) != getattr(found, name)]
