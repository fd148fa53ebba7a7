"""What the user named, as one tree.

One directory: its contents are the root, its own metadata stands in the record. A file, several paths, or a prefix
(`--as-path`): everything stands under its stored path, and the directories on the way there are real ones with their
metadata, holding only what was asked for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from icc_store.errors import SourceError
from icc_store.fs.scanner import Scanner
from icc_store.ids import ObjectId
from icc_store.model.entry import SIZE, SUBTREE, Entry, Wire, in_order
from icc_store.model.paths import parts
from icc_store.model.tree import cut_points, join_parts, pack_part, store_part
from icc_store.quick_dataclass import dataclass, field

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_WAY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
"""For directories that are only passed through: whoever may not list them may still back up what is below."""


@dataclass(frozen=True)
class Roots:
    """The tree of a snapshot, and the metadata of its root directory if that is a real one."""

    tree: ObjectId
    root_entry: Wire | None


@dataclass
class _Node:
    """A directory on the way to what was named, or (with a `leaf`) what was named."""

    real: Path | None
    leaf: Path | None = None
    below: dict[bytes, _Node] = field(default_factory=dict)


def absolute_paths(paths: Sequence[Path]) -> list[Path]:
    """The paths as the snapshot records them: absolute, sorted, without those that stand below another.

    Raises SourceError for one that does not exist or cannot be reached.
    """
    found: list[Path] = []
    for path in sorted(Path(os.path.abspath(path)) for path in paths):
        try:
            path.lstat()
        except OSError as error:
            raise SourceError(
                f"{path} cannot be backed up: {error.strerror}", hint="check the path; nothing was stored"
            ) from error
        if not any(path == other or path.is_relative_to(other) for other in found):
            found.append(path)
    return found


def is_single_directory(paths: Sequence[Path], as_path: bytes) -> bool:
    """Whether the contents of one directory will stand at the root."""
    return len(paths) == 1 and not as_path and paths[0].is_dir()


def scan_roots(scanner: Scanner, paths: Sequence[Path], as_path: bytes) -> Roots:
    """Store all paths. Raises SourceError when a directory that was named cannot be opened."""
    if is_single_directory(paths, as_path):
        fd = _open(paths[0], _DIRECTORY)
        try:
            tree = scanner.scan(fd, b"")
            entry = scanner.directory_entry(fd, b"", tree)
        finally:
            os.close(fd)
        owners = scanner.owners([entry])
        del entry[SUBTREE]  # the record names the root's tree already
        return Roots(tree, {0: [owners.users, owners.groups]} | entry)
    top = _plan(paths, as_path)
    return Roots(_store_directory(scanner, top, b""), None)


def store_stdin(scanner: Scanner, stream: BinaryIO, name: bytes, earlier: Wire | None, time_ns: int) -> Roots:
    """Store a stream as a snapshot's only file."""
    wire = Entry(name, stat.S_IFREG | 0o600, os.getuid(), os.getgid(), mtime_ns=time_ns).to_wire()
    wire = in_order(wire | scanner.files.store_pipe(stream, earlier))
    scanner.counters.files = scanner.counters.new_files = 1
    scanner.counters.size = wire[SIZE]
    return Roots(scanner.add_tree(pack_part([wire], scanner.owners([wire]))), None)


def _plan(paths: Sequence[Path], as_path: bytes) -> _Node:
    top = _Node(None)
    for path in paths:
        node = top
        for name in parts(as_path):
            node = node.below.setdefault(name, _Node(None))
        if len(paths) == 1:
            if path.is_dir() and as_path:
                node.leaf = path
                continue
            names = [os.fsencode(path.name)]
            real = path.parent
        else:
            names = [os.fsencode(part) for part in path.parts[1:]]
            real = Path("/")
        for name in names:
            real = real / os.fsdecode(name)
            node = node.below.setdefault(name, _Node(real))
        node.leaf = path
    return top


def _store_directory(scanner: Scanner, node: _Node, stored: bytes) -> ObjectId:
    wires = []
    for name, child in sorted(node.below.items()):
        wire = _store_node(scanner, name, child, stored + b"/" + name if stored else name)
        if wire is not None:
            wires.append(wire)
    ends = cut_points([wire[1] for wire in wires])
    starts = [0, *ends[:-1]]
    done = [
        (
            wires[start][1] if start < end else b"",
            store_part(wires[start:end], scanner.owners(wires[start:end]), scanner.add_tree),
        )
        for start, end in zip(starts, ends, strict=True)
    ]
    return join_parts(done, scanner.add_tree)


def _store_node(scanner: Scanner, name: bytes, node: _Node, stored: bytes) -> Wire | None:
    path = node.leaf or node.real
    if path is None:
        subtree = _store_directory(scanner, node, stored)
        return Entry(name, stat.S_IFDIR | 0o755, os.getuid(), os.getgid(), subtree=subtree).to_wire()
    if path.is_dir():
        fd = _open(path, _DIRECTORY if node.leaf else _WAY)
        try:
            subtree = scanner.scan(fd, stored) if node.leaf else _store_directory(scanner, node, stored)
            return scanner.directory_entry(fd, name, subtree)
        finally:
            os.close(fd)
    parent = _open(path.parent, _WAY)
    try:
        return scanner.one(parent, name, stored)
    except OSError as error:
        scanner.problem(stored, error)
        return None
    finally:
        os.close(parent)


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags)
    except OSError as error:
        raise SourceError(
            f"{path} cannot be backed up: {error.strerror}", hint="check its permissions; nothing was stored"
        ) from error
