"""The members of a tar archive, one after the other, in bounded memory whatever the archive says.

Read are V7, POSIX ustar, PAX and GNU archives with long names and every kind of sparse file GNU tar has written.
Python's own `tarfile` is not used: it takes a damaged header in the middle for the end of the archive, loses
nanoseconds, and reads extended headers of any size into memory.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from icc_store.codec import tar_header as form
from icc_store.codec.pax import NS, Records, parse_number, parse_records, parse_time
from icc_store.codec.tar_header import BLOCK, TarHeader, parse_header, read_octal
from icc_store.codec.tar_member import (
    LIBARCHIVE_XATTR_PREFIX,
    XATTR_PREFIX,
    Extents,
    Member,
    decode_xattr_name,
)
from icc_store.limits import MAX_EXTENDED_HEADERS, MAX_EXTENTS, MAX_SPARSE_MAP_LINE, MAX_TAR_ID, MIB

_TIMES: Final = range(-(1 << 63), 1 << 64)
"""Nanoseconds that a tree can hold."""

_SKIP_SIZE: Final = MIB
_ZERO_BLOCK: Final = bytes(BLOCK)
_WITHOUT_DATA: Final = frozenset(
    (form.LINK, form.SYMLINK, form.CHARACTER, form.BLOCK_DEVICE, form.DIRECTORY, form.FIFO)
)
_AS_REGULAR: Final = frozenset((form.REGULAR, b"7", form.GNU_SPARSE))
_REMOVABLE: Final = frozenset(
    (b"path", b"linkpath", b"uname", b"gname", b"uid", b"gid", b"size", b"mtime", b"comment", b"hdrcharset")
)
_SPARSE_OFFSET, _SPARSE_LENGTH = b"GNU.sparse.offset", b"GNU.sparse.numbytes"
_GNU_MAP, _GNU_MORE, _GNU_REAL_SIZE = slice(41, 137), 137, slice(138, 150)


class TarReader:
    """Iterates over members; the content of the newest one can be read until the next is asked for.

    `read` returns up to so many bytes, and none at the end. Raises ValueError for whatever is wrong; `path` says at
    which member.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._source = read
        self._global: Records = {}
        self._global_size = 0
        self._left = 0
        """Bytes of the member's data that were not read yet."""
        self._padding = 0
        self._begun = False
        self.path = b""
        """Of the member that is being read."""
        self.trailing = False
        """Whether something stands behind the end of the archive."""

    def __iter__(self) -> Iterator[Member]:
        while (member := self._next()) is not None:
            self.path = member.path
            yield member

    def readinto(self, buffer: Any) -> int:
        """Content of the member, as its data stands in the archive: without holes."""
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def read(self, size: int) -> bytes:
        """Up to `size` bytes of content; none at its end."""
        data = self._source(min(size, self._left)) if size and self._left else b""
        if not data and size and self._left:
            raise ValueError("the archive is cut off in the middle of a file")
        self._left -= len(data)
        return data

    def read_whole(self) -> bytes:
        """All the content that is left."""
        pieces = []
        while data := self.read(self._left):
            pieces.append(data)
        return b"".join(pieces)

    # ------------------------------------------------------------------ headers

    def _next(self) -> Member | None:
        self._skip_data()
        own: list[tuple[bytes, bytes]] = []
        size = 0
        while True:
            header = self._header()
            if header is None:
                if own:
                    raise ValueError("the archive ends after an extended header")
                self._drain()
                return None
            kind = header.typeflag
            if kind in {form.PAX_NEXT, form.SOLARIS_PAX, form.GNU_LONG_NAME, form.GNU_LONG_LINK}:
                size += header.size
                data = self._extended(header.size, size)
                if kind == form.GNU_LONG_NAME:
                    own.insert(0, (b"path", data.rstrip(b"\x00")))  # before PAX records, which count more
                elif kind == form.GNU_LONG_LINK:
                    own.insert(0, (b"linkpath", data.rstrip(b"\x00")))
                else:
                    own += parse_records(data)
            elif kind == form.PAX_GLOBAL:
                self._global_size += header.size
                self._global.update(parse_records(self._extended(header.size, self._global_size)))
            elif kind == form.GNU_LABEL:
                self._expect(header.size)
                self._skip_data()
            else:
                return self._member(header, own)

    def _header(self) -> TarHeader | None:
        missing = "the archive is cut off: its end mark is missing" if self._begun else "it is shorter than a header"
        block = self._exactly(BLOCK, missing)
        self._begun = True
        return None if block == _ZERO_BLOCK else parse_header(block)

    def _extended(self, size: int, total: int) -> bytes:
        if total > MAX_EXTENDED_HEADERS:
            raise ValueError("an extended header is too large")
        self._expect(size)
        data = self._exactly(size, "the archive is cut off in an extended header")
        self._left = 0
        self._skip_data()
        return data

    def _member(self, header: TarHeader, own: list[tuple[bytes, bytes]]) -> Member:
        records = dict(self._global)
        records.update(own)
        for key in _REMOVABLE & records.keys():
            if not records[key]:
                del records[key]
        path = records.get(b"GNU.sparse.name") or records.get(b"path", header.name)
        self.path = path
        kind = header.typeflag
        if kind == form.GNU_DIRECTORY or (kind in _AS_REGULAR and path.endswith(b"/")):
            kind = form.DIRECTORY
        elif kind in _AS_REGULAR:
            kind = form.REGULAR
        elif kind not in _WITHOUT_DATA:
            raise ValueError(f"a member has the unknown type {kind!r}")
        size = _number(records, b"size", header.size)
        self._expect(size if header.typeflag not in _WITHOUT_DATA else 0)
        member = Member(
            path.rstrip(b"/") or path,
            kind,
            header.mode & 0o7777,
            _id(_number(records, b"uid", header.uid)),
            _id(_number(records, b"gid", header.gid)),
            records.get(b"uname", header.uname),
            records.get(b"gname", header.gname),
            size if kind == form.REGULAR else 0,
            parse_time(records[b"mtime"]) if b"mtime" in records else header.mtime * NS,
            records.get(b"linkpath", header.linkname),
            (
                _id(_number(records, b"SCHILY.devmajor", header.major)),
                _id(_number(records, b"SCHILY.devminor", header.minor)),
            ),
            records=records,
        )
        if member.mtime_ns not in _TIMES:
            raise ValueError("a member's time is out of range")
        member.xattrs = _xattrs(records)
        if kind == form.REGULAR:
            self._sparse(member, header, own)
        return member

    # ------------------------------------------------------------------ sparse files

    def _sparse(self, member: Member, header: TarHeader, own: list[tuple[bytes, bytes]]) -> None:
        """Set the extents and the real size of a sparse member."""
        records = member.records
        if records.get(b"GNU.sparse.major") == b"1":
            numbers = self._map_lines()
            real = _number(records, b"GNU.sparse.realsize", member.size)
        elif b"GNU.sparse.map" in records:
            numbers = (parse_number(word) for word in records[b"GNU.sparse.map"].split(b",") if word)
            real = _number(records, b"GNU.sparse.size", member.size)
        elif b"GNU.sparse.size" in records:
            numbers = (parse_number(value) for key, value in own if key in {_SPARSE_OFFSET, _SPARSE_LENGTH})
            real = _number(records, b"GNU.sparse.size", member.size)
        elif header.typeflag == form.GNU_SPARSE:
            numbers = self._gnu_map(header)
            real = read_octal(header.gnu_tail[_GNU_REAL_SIZE]) if header.gnu_tail else member.size
        else:
            return
        extents = Extents()
        for offset in numbers:
            extents.add(offset, next(numbers, -1))
        if not extents.end <= real < 1 << 63 or extents.data_size != self._left:
            raise ValueError("the map of a sparse file does not fit the file")
        member.size = real
        if extents.data_size < real:
            member.extents = extents

    def _map_lines(self) -> Iterator[int]:
        """The numbers of a GNU.sparse 1.0 map, which stands before the data and fills whole blocks."""
        waiting = b""
        count, total = 0, 1
        while count < total:
            line, end, rest = waiting.partition(b"\n")
            if not end:
                if len(waiting) > MAX_SPARSE_MAP_LINE or self._left < BLOCK:
                    raise ValueError("the map of a sparse file is broken")
                waiting += self._exactly(BLOCK, "the archive is cut off in the map of a sparse file")
                self._left -= BLOCK
                continue
            number, waiting = parse_number(line), rest
            if count == 0:
                if number > 2 * MAX_EXTENTS:
                    raise ValueError("the map of a sparse file is too long")
                total = 1 + 2 * number
            else:
                yield number
            count += 1

    def _gnu_map(self, header: TarHeader) -> Iterator[int]:
        """The numbers of an old GNU sparse header, and of the blocks that continue it."""
        if not header.gnu_tail:
            raise ValueError("a sparse member has no map")
        fields, more = header.gnu_tail[_GNU_MAP], header.gnu_tail[_GNU_MORE]
        while True:
            for at in range(0, len(fields) - 23, 24):
                if fields[at]:
                    yield read_octal(fields[at : at + 12])
                    yield read_octal(fields[at + 12 : at + 24])
            if not more:
                return
            block = self._exactly(BLOCK, "the archive is cut off in the map of a sparse file")
            fields, more = block[:504], block[504]

    # ------------------------------------------------------------------ bytes

    def _expect(self, size: int) -> None:
        self._left = size
        self._padding = -size % BLOCK

    def _exactly(self, size: int, message: str) -> bytes:
        pieces = []
        while size:
            data = self._source(size)
            if not data:
                raise ValueError(message)
            pieces.append(data)
            size -= len(data)
        return b"".join(pieces)

    def _skip_data(self) -> None:
        left = self._left + self._padding
        while left:
            data = self._source(min(left, _SKIP_SIZE))
            if not data:
                raise ValueError("the archive is cut off in the middle of a file")
            left -= len(data)
        self._left = self._padding = 0

    def _drain(self) -> None:
        """Read what follows the end mark, so that a compressed stream is checked to its own end."""
        while data := self._source(_SKIP_SIZE):
            self.trailing = self.trailing or bool(data.strip(b"\x00"))


def _number(records: Records, key: bytes, otherwise: int) -> int:
    return parse_number(records[key]) if key in records else otherwise


def _id(number: int) -> int:
    if not 0 <= number < MAX_TAR_ID:
        raise ValueError(f"a member has the impossible number {number} for an owner or device")
    return number


def _xattrs(records: Records) -> dict[bytes, bytes]:
    """Extended attributes, sorted by name, from the records of GNU tar, star and libarchive."""
    found: dict[bytes, bytes] = {}
    for key, value in records.items():
        if key.startswith(LIBARCHIVE_XATTR_PREFIX):
            name = unquote_to_bytes(key[len(LIBARCHIVE_XATTR_PREFIX) :])
            found.setdefault(name, b64decode(value + b"=" * (-len(value) % 4), validate=True))
        elif key.startswith(XATTR_PREFIX):
            found[decode_xattr_name(key[len(XATTR_PREFIX) :])] = value
    if any(not name or b"\x00" in name for name in found):
        raise ValueError("a member has an extended attribute without a proper name")
    return dict(sorted(found.items()))
