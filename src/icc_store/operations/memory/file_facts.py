"""What is known of each file's content beside its id: its SHA-256, and what validation found in it.

Both need the bytes, so they are taken while a scan reads a file (fs/watcher.py), and kept for as long as the file does
not change: one row for each part of a directory, under the id of the tree that describes the part. The row goes when
the part changes, so that however long a history is, there is one digest for each file of the newest snapshot.

    tree id (32)  msgpack [RULES, SHA-256 of each regular file in order of names, {position of a file: what was found}]

A row is derived: where there is none, the files are read once more.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from icc_store.codec.serial import pack, unpack
from icc_store.fs.watcher import Feed
from icc_store.ids import ID_SIZE, ObjectId
from icc_store.model.entry import FLAG_SQLITE_COPY, FLAGS, MODE, NAME, Wire
from icc_store.model.paths import join

RULES = 1
"""Grows when validation finds other things in the same file, so that all are looked at anew."""

Check = Callable[[bytes, bytes], Any]
"""Takes a stored path and the file's bytes; returns what is to be kept of it, as plain values, or None."""

_KEY = b"facts "
_HEAD = bytes((0x93, RULES))
"""How the packed list begins: an array of three, and the rules."""

_KEY_ID_SIZE = 16
_TYPE, _FILE = 0o170000, stat.S_IFREG
_DIGEST_SIZE = 32

Fact = tuple[bytes, Any]
"""SHA-256 of a file, and what the check kept of it, or None."""


def make_look(check: Check | None) -> Callable[[bytes, bytes], Fact]:
    """What makes the facts of a file: takes its stored path and its bytes."""
    from hashlib import sha256  # 2 ms, and an unchanged directory has nothing to hash

    def look(path: bytes, data: bytes) -> Fact:
        return sha256(data).digest(), check(path, data) if check is not None else None

    return look


class Rows(Protocol):
    """Where rows of former runs are, and where this one leaves its own."""

    def seen(self, key: bytes) -> bytes | None:
        """The row under a key."""

    def remember(self, key: bytes, row: bytes) -> None:
        """Leave a row."""

    def drop(self, key: bytes) -> None:
        """Leave none."""


class KnownFacts:
    """What former scans found out."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def facts_of(self, tree: ObjectId, wires: list[Wire]) -> list[Fact] | None:
        """The facts of the regular files among a part's entries, in their order; None when they are not known."""
        row = self._row(tree)
        return None if row is None else _parse(row, len([True for wire in wires if wire[MODE] & _TYPE == _FILE]))

    def _row(self, tree: ObjectId) -> bytes | None:
        row = self._rows.seen(_key(tree))
        return row if row is not None and row.startswith(tree + _HEAD) else None


class ScannedFacts(KnownFacts):
    """The watcher of one scan. `facts_of` has the facts of every part that was scanned as well."""

    def __init__(self, rows: Rows, make_check: Callable[[], Check | None]) -> None:
        """`make_check` is called when the first file comes: an unchanged directory need not import what checks it."""
        super().__init__(rows)
        self._make_check = make_check
        self._look: Callable[[bytes, bytes], Fact] | None = None
        self._directory: bytes | None = None
        self._fresh: dict[bytes, Any] = {}
        self._former: dict[bytes, Fact] = {}
        self._replaced: set[ObjectId] = set()
        self._made: dict[ObjectId, bytes] = {}

    def knows(self, tree: ObjectId) -> bool:
        return self._row(tree) is not None

    def former(self, tree: ObjectId, wires: list[Wire]) -> bool:
        facts = self.facts_of(tree, wires)
        if facts is None:
            return False
        self._former.update(zip(_file_names(wires), facts, strict=True))
        self._replaced.add(tree)
        return True

    def enter(self, directory: bytes) -> None:
        self._former.clear()
        if directory != self._directory:
            self._directory = directory
            self._fresh.clear()

    def whole(self, name: bytes, data: bytes) -> None:
        look = self._look
        if look is None:
            look = self._look = make_look(self._make_check())
        self._fresh[name] = look(join(self._directory or b"", name), data)

    def stream(self, name: bytes) -> Feed:
        from hashlib import sha256  # as below

        hasher = self._fresh[name] = sha256()
        update: Feed = hasher.update
        return update

    def part(self, tree: ObjectId, wires: list[Wire]) -> None:
        digests = bytearray()
        notes = {}
        for position, (name, flags) in enumerate(_files(wires)):
            # A copy of a live database is made once, and shown once, also when its directory is gone through again.
            take = self._fresh.get if flags & FLAG_SQLITE_COPY else self._fresh.pop
            fact = take(name, None) or self._former.get(name)
            if fact is None:
                return  # not all was shown: no row, and the part is read again next time
            digest, note = fact if isinstance(fact, tuple) else (fact.digest(), None)
            digests += digest
            if note is not None:
                notes[position] = note
        self._made[tree] = tree + pack([RULES, bytes(digests), notes])

    def hand_over(self) -> Any:
        learned = self._made, self._replaced
        self._made, self._replaced = {}, set()
        return learned

    def take_over(self, learned: Any) -> None:
        made, replaced = learned
        self._made.update(made)
        self._replaced.update(replaced)

    def keep(self) -> None:
        """Leave the facts for the next run, in place of those of the parts that changed."""
        for tree in self._replaced:
            self._rows.drop(_key(tree))
        for tree, row in self._made.items():
            self._rows.remember(_key(tree), row)

    def _row(self, tree: ObjectId) -> bytes | None:
        return self._made.get(tree) or super()._row(tree)


def _key(tree: ObjectId) -> bytes:
    return _KEY + tree[:_KEY_ID_SIZE]


def _files(wires: list[Wire]) -> Iterator[tuple[bytes, int]]:
    """Names and flags of the regular files."""
    return ((wire[NAME], wire.get(FLAGS, 0)) for wire in wires if stat.S_ISREG(wire[MODE]))


def _file_names(wires: list[Wire]) -> list[bytes]:
    return [name for name, _ in _files(wires)]


def _parse(row: bytes, files: int) -> list[Fact] | None:
    """The facts in a row of so many files, or None: what cannot be read is made anew."""
    try:
        value = unpack(row[ID_SIZE:])
    except ValueError:
        return None
    _, digests, notes = value
    if not isinstance(digests, bytes) or len(digests) != files * _DIGEST_SIZE or not isinstance(notes, dict):
        return None
    if not notes:
        return [(digests[start : start + _DIGEST_SIZE], None) for start in range(0, len(digests), _DIGEST_SIZE)]
    return [(digests[at * _DIGEST_SIZE : (at + 1) * _DIGEST_SIZE], notes.get(at)) for at in range(files)]
