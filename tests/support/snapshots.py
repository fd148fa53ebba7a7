"""Snapshots made from a map of paths, through the model alone: for tests of what reads them."""

from __future__ import annotations

import io
import stat
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from icc_store.ids import Kind, ObjectId
from icc_store.limits import WHOLE_FILE_SIZE
from icc_store.model.content_writer import store_stream
from icc_store.model.entry import GID, UID, Entry, Wire
from icc_store.model.record import Counters, Snapshot, SnapshotRecord
from icc_store.model.repository import Repository, Run
from icc_store.model.tree import Owners, cut_points, join_parts, pack_part

Files = Mapping[str | bytes, bytes | Entry]
"""What stands at each path: the content of a file, or a whole entry (its name is set from the path)."""

NOTHING: Files = MappingProxyType({})
MTIME = 1_700_000_000_123_456_789


def take(repository: Repository, files: Files = NOTHING, **fields: Any) -> Snapshot:
    """A snapshot of these files. `fields` are those of the record; source "home" where none is given."""
    with repository.adding() as run:
        counts = [0, 0, 0, 0]
        root = _directory(run, _nested(files), counts)
        before = run.writer.counters
        run.writer.commit()
        counters = Counters(
            files=counts[0],
            directories=counts[1],
            others=counts[2],
            size=counts[3],
            added_plain=before.plain_bytes,
            added_stored=before.stored_bytes,
        )
        given = {"time_ns": repository.clock.now_ns(), "source": "home", "host": "here", "counters": counters}
        given |= fields
        return run.commit(lambda seq: SnapshotRecord(seq=seq, root=root, **given))


def _nested(files: Files) -> dict[bytes, Any]:
    tree: dict[bytes, Any] = {}
    for path, what in files.items():
        names = (path if isinstance(path, bytes) else path.encode()).split(b"/")
        level = tree
        for name in names[:-1]:
            level = level.setdefault(name, {})
        level[names[-1]] = what
    return tree


def _directory(run: Run, tree: dict[bytes, Any], counts: list[int]) -> ObjectId:
    counts[1] += 1
    wires = [_entry(run, name, what, counts).to_wire() for name, what in sorted(tree.items())]
    parts, start = [], 0
    for end in cut_points([wire[1] for wire in wires]):
        data = pack_part(wires[start:end], _owners(wires[start:end]))
        parts.append((wires[start][1] if wires else b"", run.writer.add(Kind.TREE, data)))
        start = end
    return join_parts(parts, lambda node: run.writer.add(Kind.TREE, node))


def _owners(wires: list[Wire]) -> Owners:
    """The names of those who own something here, and of nobody else, as a snapshot has them."""
    uids, gids = {wire[UID] for wire in wires}, {wire[GID] for wire in wires}
    return Owners({1000: "ada"} if 1000 in uids else {}, {100: "users"} if 100 in gids else {})


def _entry(run: Run, name: bytes, what: Any, counts: list[int]) -> Entry:
    if isinstance(what, dict):
        return Entry(name, stat.S_IFDIR | 0o755, 1000, 100, mtime_ns=MTIME, subtree=_directory(run, what, counts))
    if isinstance(what, Entry):
        counts[2] += 1
        what.name = name
        return what
    counts[0] += 1
    counts[3] += len(what)
    entry = Entry(name, stat.S_IFREG | 0o644, 1000, 100, len(what), MTIME)
    if len(what) > WHOLE_FILE_SIZE:
        entry.content_list, _ = store_stream(run.writer, run.objects, [io.BytesIO(what)], size=len(what))
    elif what:
        entry.chunk = run.writer.add(Kind.CHUNK, what)
    return entry
