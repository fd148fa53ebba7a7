"""A repository in memory, made from a description in which everything may be wrong but the checksums and ids.

A description is a list of `[kind, content]`. The content is the bytes of an object, or what MessagePack makes them of;
bytes `#0`, `#1` ... in it stand for the id of the object made first, second ..., and a list that begins with `+` for
its other items joined. So changes to a description come behind all hashes, and what is made leads to each other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from icc_store.clock import FixedClock
from icc_store.codec.hashing import object_id
from icc_store.codec.serial import pack
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import MAX_OBJECT_SIZE
from icc_store.model.header import Header
from icc_store.model.repository import Repository, counter_key
from icc_store.objects.block import RAW, Frame, encode_block
from icc_store.objects.index import pack_row
from icc_store.objects.records import append_record
from icc_store.store.memory_store import MemoryStore
from icc_store.store.protocol import Table

MOST_OBJECTS = 40
MOST_PATHS = 500
"""What a few trees stand for can be endless; that is told, and tried, elsewhere."""

_REFERENCE = re.compile(rb"#(\d{1,2})")
_KINDS = frozenset(map(int, Kind))
_TABLES = {Kind.SNAPSHOT: Table.SNAPSHOTS, Kind.ANNOTATION: Table.ANNOTATIONS}
_NOW = 1_700_000_000 * 10**9


class Unfit(ValueError):
    """A description of nothing that is worth a repository."""


def forge(description: Any, path: Path) -> Repository:
    """The repository that is described. Raises Unfit."""
    if type(description) is not list or not 0 < len(description) <= MOST_OBJECTS:
        raise Unfit("no list of objects")
    repository = Repository(path, Header(bytes(16), bytes(16)), MemoryStore(), clock=FixedClock(_NOW))
    made: list[tuple[ObjectId, int]] = []
    for one in description:
        if type(one) is not list or len(one) != 2 or type(one[0]) is not int or one[0] not in _KINDS:
            raise Unfit("no kind and content")
        made.append(_put(repository, Kind(one[0]), one[1], made))
    repository.objects.forget()
    return repository


def _put(repository: Repository, kind: Kind, content: Any, made: list[tuple[ObjectId, int]]) -> tuple[ObjectId, int]:
    """Store an object. Returns its id, and how many paths it stands for."""
    used: list[int] = []
    try:
        resolved = _resolved(content, made, used)
        data = resolved if isinstance(resolved, bytes) else pack(resolved)
    except (ValueError, OverflowError, TypeError, RecursionError) as error:
        raise Unfit("what cannot be packed") from error
    paths = 1 + sum(made[number][1] for number in used)
    if paths > MOST_PATHS or not 0 < len(data) <= MAX_OBJECT_SIZE:
        raise Unfit("nothing, or too much")
    owner = repository.header.repository
    with repository.store.write() as txn:
        if kind in _TABLES:
            identity = append_record(txn, owner, kind, data)
            number = (len(made) + 1).to_bytes(8)
            txn.put(_TABLES[kind], number, identity)
            txn.put(Table.META, counter_key(_TABLES[kind]), number)
        else:
            identity = object_id(kind, data)
            block = txn.append_block(encode_block(owner, [Frame(kind, RAW, (identity,), (len(data),), data)]))
            txn.insert_rows([pack_row(identity[:KEY_SIZE], block, 0)])
    return identity, paths


def _resolved(content: Any, made: list[tuple[ObjectId, int]], used: list[int]) -> Any:
    if isinstance(content, bytes):
        found = _REFERENCE.fullmatch(content)
        if found is None or int(found[1]) >= len(made):
            return content
        used.append(int(found[1]))
        return bytes(made[used[-1]][0])
    if isinstance(content, dict):
        return {key: _resolved(value, made, used) for key, value in content.items()}
    if isinstance(content, list):
        items = [_resolved(item, made, used) for item in content]
        if items[:1] == ["+"] and all(isinstance(item, bytes) for item in items[1:]):
            return b"".join(items[1:])
        return items
    return content


def whole() -> list[Any]:
    """A description of a sound repository with one of everything."""
    directory, link = 0o40755, 0o120777
    entries = [
        {1: b"a", 2: 0o100644, 3: 1000, 4: 100, 5: 5, 6: 10**18, 7: b"#0", 12: {b"user.a": b"b"}, 16: bytes(32)},
        {1: b"b", 2: 0o100600, 3: 0, 4: 0, 5: 15, 6: 0, 8: b"#1", 13: b"#2"},
        {1: b"c", 2: 0o100644, 3: 0, 4: 0, 5: 5, 6: 0, 7: b"#0", 14: b"a"},
        {1: b"d", 2: directory, 3: 0, 4: 0, 6: b"\x00" + b"\xff" * 8, 9: b"#3"},
        {1: b"e", 2: link, 3: 0, 4: 0, 6: 0, 10: b"../outside"},
        {1: b"f", 2: directory, 3: 0, 4: 0, 6: 0, 9: b"#6"},
        {1: b"g", 2: 0o10644, 3: 0, 4: 0, 6: 0},
    ]
    names = [{1000: "ada"}, {100: "users"}]
    record = {
        1: 9, 2: _NOW, 3: b"#7", 4: "home", 5: "here", 6: "full", 7: "name", 8: ["tag"], 9: "note", 11: [b"/home/ada"],
        12: {0: [{0: "root"}, {0: "root"}], 1: b"", 2: directory, 3: 0, 4: 0, 6: 0},
        13: {"patterns": [b"*.tmp"], "caches": True, "never": [b"x"]},
        14: [3, 3, 1, 25, 3, 0, 0, 25, 5, 5, 1000], 15: [[b"gone", "No such file"]], 16: "1.0", 17: {1: "icc"},
    }  # fmt: skip
    return [
        [Kind.CHUNK, b"12345"],
        [Kind.LIST, {1: 0, 2: [16384, 65536, 262144], 3: ["+", b"#0", bytes(32), b"#0"], 4: [5, 5, 5]}],
        [Kind.XATTRS, {b"user.x": b"y" * 20}],
        [Kind.TREE, {1: [entries[4]], 2: {}, 3: {}}],
        [Kind.TREE, {1: [entries[0] | {1: b"m"}], 2: {}, 3: {}}],
        [Kind.TREE, {1: [entries[2] | {1: b"x", 14: b"f/m"}], 2: {}, 3: {}}],
        [Kind.TREE, {4: [[b"m", b"#4"], [b"x", b"#5"]]}],
        [Kind.TREE, {1: entries, 2: names[0], 3: names[1]}],
        [Kind.SNAPSHOT, record],
        [Kind.ANNOTATION, {1: b"#8", 2: "tag", 3: "more", 4: _NOW, 5: 10}],
        [Kind.SNAPSHOT, record | {1: 11, 3: b"#3", 10: b"#8"}],
    ]
