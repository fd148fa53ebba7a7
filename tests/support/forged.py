"""What somebody puts into a repository who knows the format and means harm: every checksum is right.

Blocks, rows and records are written by the lowest layers, which ask no questions. `Forge` wraps an open repository.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from icc_store.codec.compression import compress
from icc_store.codec.hashing import object_id
from icc_store.codec.serial import pack
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.model.entry import Wire
from icc_store.model.record import Counters, SnapshotClass, SnapshotRecord, pack_record
from icc_store.model.repository import Repository, next_number
from icc_store.model.tree import Owners, pack_part
from icc_store.objects.block import RAW, ZSTD, Frame, encode_block
from icc_store.objects.index import pack_row
from icc_store.objects.records import append_record
from icc_store.store.protocol import Table

FILE, DIRECTORY, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def wire(name: bytes, mode: int = FILE, **fields: Any) -> Wire:
    """An entry; `fields` are called `key7`, `key8` and so on, as in docs/format.md."""
    size = {5: 0} if mode == FILE else {}
    return {1: name, 2: mode, 3: 0, 4: 0, 6: 0} | size | {int(key[3:]): value for key, value in fields.items()}


def part(*entries: Wire) -> bytes:
    """The bytes of a tree, in whatever order and with whatever names."""
    return pack_part(list(entries), Owners())


class Forge:
    """Puts things into a repository."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def put(self, kind: Kind, data: bytes, identity: ObjectId | None = None) -> ObjectId:
        """An object, under its own id or another."""
        identity = identity or object_id(kind, data)
        self.block([Frame(kind, RAW, (identity,), (len(data),), data)])
        return identity

    def squeezed(self, kind: Kind, data: bytes) -> ObjectId:
        """The same, compressed."""
        identity = object_id(kind, data)
        self.block([Frame(kind, ZSTD, (identity,), (len(data),), compress(data, 3))])
        return identity

    def block(self, frames: Sequence[Frame]) -> int:
        """A block of these frames, with a row for each object."""
        with self._repository.store.write() as txn:
            number = txn.append_block(encode_block(self._repository.header.repository, frames))
            ids = [identity for frame in frames for identity in frame.ids]
            txn.insert_rows(sorted(pack_row(one[:KEY_SIZE], number, at) for at, one in enumerate(ids)))
        self._repository.objects.forget()
        return number

    def tree(self, *entries: Wire) -> ObjectId:
        """A directory."""
        return self.put(Kind.TREE, part(*entries))

    def chain(self, depth: int, above: Callable[[ObjectId], bytes]) -> ObjectId:
        """Trees one above the other, the lowest with an empty file; `above` gives the bytes of what holds one."""
        data = part(wire(b"f"))
        frames = []
        for _ in range(depth + 1):
            identity = object_id(Kind.TREE, data)
            frames.append(Frame(Kind.TREE, RAW, (identity,), (len(data),), data))
            data = above(identity)
        for start in range(0, len(frames), 1000):
            self.block(frames[start : start + 1000])
        return frames[-1].ids[0]

    def snapshot(self, root: ObjectId, **fields: Any) -> ObjectId:
        """A snapshot of a tree; `fields` are those of the record."""
        given: dict[str, Any] = {"source": "home", "host": "here", "kind": SnapshotClass.FULL, "counters": Counters()}
        record = {"time_ns": 1_700_000_000 * 10**9, "paths": (b"/nowhere",), "name": "forged"} | given | fields
        record.setdefault("root_entry", {0: [{}, {}], 1: b"", 2: DIRECTORY, 3: 0, 4: 0, 6: 0})
        with self._repository.store.write() as txn:
            seq = next_number(txn, Table.SNAPSHOTS)
        return self.record(pack_record(SnapshotRecord(seq=seq, root=root, **record)), seq)

    def record(self, data: bytes, seq: int) -> ObjectId:
        """A snapshot whose record is these bytes."""
        with self._repository.store.write() as txn:
            identity = append_record(txn, self._repository.header.repository, Kind.SNAPSHOT, data)
            txn.put(Table.SNAPSHOTS, seq.to_bytes(8), identity)
        self._repository.objects.forget()
        return identity


def content_list(level: int, ids: Iterable[bytes], lengths: Sequence[int]) -> bytes:
    """The bytes of a content list that says so, root or not."""
    return pack({1: level, 2: [16384, 65536, 262144], 3: b"".join(ids), 4: list(lengths)})
