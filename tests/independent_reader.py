"""Getting your data back without this program: reads a repository from docs/format.md alone.

    python independent_reader.py REPOSITORY                          lists the snapshots
    python independent_reader.py REPOSITORY SNAPSHOT                 lists what one holds
    python independent_reader.py REPOSITORY SNAPSHOT TARGET          restores it into a missing or empty directory
    python independent_reader.py --scan REPOSITORY ...               the same, for a data.mdb that LMDB cannot open

SNAPSHOT is the beginning of an id, a number, or `latest`. Needs the packages lmdb, zstandard, msgpack and blake3, and
nothing of icc_store; the index is not used. With --scan, snapshots that were removed may be listed again.
"""

from __future__ import annotations

import json
import mmap
import os
import stat
import struct
import sys
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import lmdb
import msgpack
import zstandard
from blake3 import blake3

HEADER = struct.Struct("<4sBBH16s16sII")
CHUNK, LIST, TREE, SNAPSHOT, ANNOTATION, XATTRS = 1, 2, 3, 4, 5, 6
CONTEXTS = {LIST: "content list", TREE: "tree", SNAPSHOT: "snapshot", ANNOTATION: "annotation", XATTRS: "xattrs"}
RAW, ZSTD, ZSTD_IDS = 0, 1, 2
NAME, MODE, UID, GID, SIZE, MTIME, CONTENT, CONTENT_LIST, SUBTREE, TARGET, DEVICE = range(1, 12)
ATTRIBUTES, ATTRIBUTES_ID, HARD_LINK = 12, 13, 14
MAX_FRAME, MAX_WINDOW, CACHE = 32 << 20, 128 << 20, 64 << 20
HOLE = bytes(32)
Entry = dict[int, Any]


class Broken(Exception):
    """Stored bytes are not what the format says."""


class Frame(NamedTuple):
    """Objects compressed together."""

    codec: int
    stored: memoryview
    lengths: list[int]
    bases: bytes
    depth: int
    ids_before: bytes  # of all objects of the block up to and with this frame's


def checksum(*parts: bytes | memoryview) -> bytes:
    return bytes(blake3(b"".join(parts)).digest()[:16])


def identity(kind: int, data: bytes) -> bytes:
    if kind == CHUNK:
        return bytes(blake3(data).digest())
    return bytes(blake3(data, derive_key_context=f"icc-store 2026-11 {CONTEXTS[kind]} v1").digest())


def unpack(data: bytes | memoryview) -> Any:
    return msgpack.unpackb(data, raw=False, strict_map_key=False, unicode_errors="surrogateescape")


def check(good: bool, what: str) -> None:
    if not good:
        raise Broken(what)


class Repository:
    """All objects of a repository, found by going through its blocks."""

    def __init__(self, path: Path, *, scan: bool = False) -> None:
        self.repository = read_header(path)
        self._frames: list[Frame] = []
        self._places: dict[bytes, list[tuple[int, int]]] = {}
        """First 16 bytes of an id: frames that hold the object, and as which of theirs."""
        self._records: dict[int, list[bytes]] = {SNAPSHOT: [], ANNOTATION: []}
        self._plain: OrderedDict[int, bytes] = OrderedDict()
        self._cached = 0
        self._source = File(path / "data.mdb", self.repository) if scan else Tables(path)
        for block in self._source.blocks():
            try:
                self._add_block(block)
            except (Broken, ValueError, TypeError, KeyError, IndexError) as error:
                print(f"a block is broken and was passed over: {error}", file=sys.stderr)

    def _add_block(self, data: memoryview) -> None:
        check(len(data) >= 64, "too short")
        magic, version, flags, reserved, owner, _, directory_size, payload_size = HEADER.unpack_from(data)
        check(magic == b"ICCB" and len(data) == 64 + directory_size + payload_size, "not a block")
        check(checksum(data[:48], data[64:]) == data[48:64], "its checksum is wrong")
        check((version, flags, reserved) == (1, 0, 0), "it is of a newer version")
        check(owner == self.repository, "it belongs to another repository")
        offset, seen = 64 + directory_size, b""
        for row in unpack(data[64:offset]):
            kind, codec, size, ids, lengths, bases, depth, _ = [*row, b"", 0, 0] if len(row) == 5 else row
            check(len(ids) == 32 * len(lengths) > 0 and 0 < sum(lengths) <= MAX_FRAME, "its directory is wrong")
            seen += ids
            self._frames.append(Frame(codec, data[offset : offset + size], lengths, bases, depth, seen))
            offset += size
            for within in range(len(lengths)):
                name = ids[32 * within : 32 * within + 32]
                self._places.setdefault(name[:16], []).append((len(self._frames) - 1, within))
                if kind in self._records and name not in self._records[kind]:
                    self._records[kind].append(name)

    def get(self, name: bytes, kind: int) -> bytes:
        """An object, proven by its id."""
        error = Broken(f"object {name.hex()} is missing")
        for frame, within in self._places.get(name[:16], ()):
            try:
                data = self._part(frame, within)
            except Broken as problem:
                error = problem
                continue
            if identity(kind, data) == name:
                return data
            error = Broken(f"object {name.hex()} has other bytes than its id says")
        raise error

    def _part(self, number: int, within: int) -> bytes:
        frame = self._frames[number]
        start = sum(frame.lengths[:within])
        return self._decode(number)[start : start + frame.lengths[within]]

    def _decode(self, number: int) -> bytes:
        plain = self._plain.get(number)
        if plain is not None:
            self._plain.move_to_end(number)
            return plain
        frame = self._frames[number]
        size = sum(frame.lengths)
        if frame.codec == RAW:
            plain = bytes(frame.stored)
        else:
            check(frame.codec in (ZSTD, ZSTD_IDS), "an unknown codec")
            prefix = b"".join(
                self._base(frame.bases[at : at + 16], frame.depth) for at in range(0, len(frame.bases), 16)
            )
            plain = decompress(frame.stored, size, prefix + (frame.ids_before if frame.codec == ZSTD_IDS else b""))
        check(len(plain) == size, "a frame has another size than it says")
        self._plain[number] = plain
        self._cached += size
        while self._cached > CACHE and len(self._plain) > 1:
            self._cached -= len(self._plain.popitem(last=False)[1])
        return plain

    def _base(self, key: bytes, depth: int) -> bytes:
        for frame, within in self._places.get(key, ()):
            if self._frames[frame].depth < depth:  # only then: so no chain ever closes to a ring
                return self._part(frame, within)
        raise Broken(f"base {key.hex()} is missing")

    def snapshots(self) -> list[tuple[bytes, Entry, dict[str, Any]]]:
        """Ids, records, and what annotations say of them, in the order of their numbers."""
        found = {}
        for name in self._records[SNAPSHOT]:
            try:
                record = unpack(self.get(name, SNAPSHOT))
                found[name] = (name, record, {"tags": list(record.get(8, ()))})
            except Broken as error:
                print(f"snapshot {name.hex()} cannot be read: {error}", file=sys.stderr)
        notes = [unpack(self.get(name, ANNOTATION)) for name in self._records[ANNOTATION]]
        for note in sorted((note for note in notes if note[1] in found), key=lambda note: int(note[5])):
            said = found[note[1]][2]
            said[note[2]] = note[3]
            if note[2] in ("tag", "untag"):
                said["tags"] = [tag for tag in said["tags"] if tag != note[3]] + [note[3]] * (note[2] == "tag")
        return sorted(found.values(), key=lambda snapshot: int(snapshot[1][1]))

    def entries(self, tree: bytes, level: int = 0) -> Iterator[Entry]:
        """What a directory holds."""
        check(level <= 16, "a tree has too many levels")
        value = unpack(self.get(tree, TREE))
        if 4 in value:
            for _, part in value[4]:
                yield from self.entries(part, level + 1)
            return
        for entry in value[1]:
            name = entry[NAME]
            check(isinstance(name, bytes) and b"/" not in name and name not in (b"", b".", b".."), "an impossible name")
            yield entry

    def pieces(self, name: bytes) -> Iterator[bytes | int]:
        """The content behind a list: bytes, and numbers for holes."""
        value = unpack(self.get(name, LIST))
        for at, length in enumerate(value[4]):
            child = value[3][32 * at : 32 * at + 32]
            if value[1]:
                yield from self.pieces(child)
            elif child == HOLE:
                yield length
            else:
                data = self.get(child, CHUNK)
                check(len(data) == length, "a chunk has another length than its list says")
                yield data

    def content(self, entry: Entry) -> Iterator[bytes | int]:
        """The content of a file."""
        if CONTENT in entry:
            yield self.get(entry[CONTENT], CHUNK)
        elif CONTENT_LIST in entry:
            yield from self.pieces(entry[CONTENT_LIST])


def read_header(path: Path) -> bytes:
    """The repository's id; whether this reader may go on."""
    fields = json.loads((path / "repository.json").read_bytes())
    stored = fields.pop("checksum")
    check(checksum(json.dumps(fields, indent=1, sort_keys=True).encode()).hex() == stored, "repository.json is damaged")
    check(fields["version"] == 1 and not fields["features"]["refuse"], "this repository needs a newer reader")
    return bytes.fromhex(fields["repository"])


class Tables:
    """Every block in LMDB, then the second copies of the snapshot records."""

    def __init__(self, path: Path) -> None:
        self._env = lmdb.open(os.fspath(path), max_dbs=16, readonly=True, lock=False)
        self._txn = self._env.begin(buffers=True)  # it stays open, since blocks are views into the file

    def blocks(self) -> Iterator[memoryview]:
        for table in (b"blocks", b"copies"):
            yield from (value for _, value in self._txn.cursor(self._env.open_db(table, self._txn, create=False)))


class File:
    """Every block that can be found in the bytes of a file, whatever else is in it."""

    def __init__(self, path: Path, repository: bytes) -> None:
        self._repository = repository
        with path.open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def blocks(self) -> Iterator[memoryview]:
        at = self._data.find(b"ICCB")
        while at >= 0:
            header = self._data[at : at + 64]
            if len(header) == 64 and header[8:24] == self._repository:
                block = memoryview(self._data)[at : at + 64 + sum(HEADER.unpack_from(header)[6:])]
                if checksum(block[:48], block[64:]) == block[48:64]:
                    yield block
            at = self._data.find(b"ICCB", at + 1)


def decompress(data: memoryview, size: int, prefix: bytes) -> bytes:
    known = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT) if prefix else None
    magicless = zstandard.FORMAT_ZSTD1_MAGICLESS
    try:
        decoder = zstandard.ZstdDecompressor(dict_data=known, format=magicless, max_window_size=MAX_WINDOW)
        return decoder.decompress(data, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise Broken(f"a frame cannot be decompressed: {error}") from error


class Restore:
    """Writes one snapshot into a directory that is missing or empty. Paths may be of any length."""

    def __init__(self, repository: Repository, target: Path) -> None:
        self._repository = repository
        target.mkdir(parents=True, exist_ok=True)
        check(not any(target.iterdir()), f"{target} is not empty")
        self._root = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        self._made: dict[bytes, bytes] = {}
        """Paths that name a group of hard links: where its first member was written."""
        self.problems: list[str] = []

    def run(self, record: Entry) -> None:
        """Directories get their modes and times when all in them is written."""
        here = os.dup(self._root)
        levels: list[tuple[bytes, Iterator[Entry], Entry]] = [(b"", self._repository.entries(record[3]), {})]
        while levels:
            path, entries, directory = levels[-1]
            inside = path
            try:
                entry = next(entries, {})
                if not entry:
                    levels.pop()
                    if directory:
                        here = move(here, b"..")
                    self._apply(here, directory or record.get(12), directory.get(NAME, b"."))
                    continue
                inside = path + b"/" + entry[NAME] if path else entry[NAME]
                if SUBTREE in entry:
                    os.mkdir(entry[NAME], 0o700, dir_fd=here)
                    here = move(here, entry[NAME])
                    levels.append((inside, self._repository.entries(entry[SUBTREE]), entry))
                else:
                    self._make(here, entry, inside)
            except (OSError, Broken) as error:  # when a directory cannot be read, its entries end here
                self.problems.append(f"{os.fsdecode(inside)}: {error}")
        os.close(here)

    def _make(self, here: int, entry: Entry, path: bytes) -> None:
        name, kind, group = entry[NAME], stat.S_IFMT(entry[MODE]), entry.get(HARD_LINK, path)
        first = self._made.get(group, group)
        if first != path and os.access(first, os.F_OK, dir_fd=self._root, follow_symlinks=False):
            os.link(first, name, src_dir_fd=self._root, dst_dir_fd=here, follow_symlinks=False)
            return
        if kind == stat.S_IFREG:
            self._write(here, entry)
        elif kind == stat.S_IFLNK:
            os.symlink(entry[TARGET], name, dir_fd=here)
        else:
            os.mknod(name, kind | 0o600, os.makedev(*entry.get(DEVICE, (0, 0))), dir_fd=here)
        self._apply(here, entry, name)
        if group != path:
            self._made[group] = path

    def _write(self, here: int, entry: Entry) -> None:
        fd = os.open(entry[NAME], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=here)
        with os.fdopen(fd, "wb") as file:
            for piece in self._repository.content(entry):
                if isinstance(piece, int):
                    file.seek(piece, os.SEEK_CUR)
                else:
                    file.write(piece)
            file.truncate()
            check(file.tell() == entry[SIZE], "the content has another size than the entry says")

    def _apply(self, here: int, entry: Entry | None, name: bytes) -> None:
        """Owner, attributes, mode, time: in this order, since each of them may undo the next."""
        if not entry:
            return
        mode, when = entry[MODE], entry[MTIME]
        if os.geteuid() == 0:
            os.chown(name, entry[UID], entry[GID], dir_fd=here, follow_symlinks=False)
        attributes = entry.get(ATTRIBUTES, {})
        if ATTRIBUTES_ID in entry:
            attributes = unpack(self._repository.get(entry[ATTRIBUTES_ID], XATTRS))
        for key, value in attributes.items():
            try:
                os.setxattr(b"/proc/self/fd/%d/%b" % (here, name), key, value, follow_symlinks=False)
            except OSError as error:
                self.problems.append(f"{os.fsdecode(name)}: {os.fsdecode(key)}: {error.strerror}")
        if not stat.S_ISLNK(mode):
            os.chmod(name, stat.S_IMODE(mode), dir_fd=here)
        if isinstance(when, bytes):
            when = int.from_bytes(when, "big", signed=True)
        os.utime(name, ns=(when, when), dir_fd=here, follow_symlinks=False)


def move(here: int, name: bytes) -> int:
    there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
    os.close(here)
    return there


def walk(repository: Repository, tree: bytes, above: bytes = b"") -> Iterator[tuple[bytes, Entry]]:
    """Every path below a tree."""
    for entry in repository.entries(tree):
        yield above + entry[NAME], entry
        if SUBTREE in entry:
            yield from walk(repository, entry[SUBTREE], above + entry[NAME] + b"/")


def main(arguments: list[str]) -> int:
    words = [word for word in arguments if word != "--scan"]
    if not 1 <= len(words) <= 3:
        print(__doc__)
        return 2
    repository = Repository(Path(words[0]), scan="--scan" in arguments)
    snapshots = repository.snapshots()
    if len(words) == 1:
        for name, record, said in snapshots:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record[2] // 10**9))
            state = "forgotten" if said.get("forgotten") else record[6]
            print(record[1], name.hex()[:16], when, state, record.get(4, ""), record.get(7, ""), *said["tags"])
        return 0
    chosen = [one for one in snapshots if one[0].hex().startswith(words[1]) or str(one[1][1]) == words[1]]
    chosen = snapshots[-1:] if words[1] == "latest" else chosen
    if len(chosen) != 1:
        print(f"{len(chosen)} snapshots answer to {words[1]}", file=sys.stderr)
        return 4
    if len(words) == 2:
        for path, entry in walk(repository, chosen[0][1][3]):
            print(stat.filemode(entry[MODE]), entry.get(SIZE, 0), os.fsdecode(path))
        return 0
    restore = Restore(repository, Path(words[2]))
    restore.run(chosen[0][1])
    for problem in restore.problems:
        print(problem, file=sys.stderr)
    return 3 if restore.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
