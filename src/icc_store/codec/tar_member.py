"""A member of a tar archive, and the header blocks that stand for it (PAX format, sparse files as GNU.sparse 1.0)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from icc_store.codec import pax
from icc_store.codec.pax import Records
from icc_store.codec.tar_header import (
    BLOCK,
    DIRECTORY,
    LAST_OCTAL_ID,
    LAST_OCTAL_SIZE,
    PAX_NEXT,
    REGULAR,
    TarHeader,
    build_header,
    fits_link,
    fits_owner,
    split_name,
)
from icc_store.limits import MAX_EXTENTS

XATTR_PREFIX: Final = b"SCHILY.xattr."
LIBARCHIVE_XATTR_PREFIX: Final = b"LIBARCHIVE.xattr."
ACCESS_ACL, DEFAULT_ACL = b"SCHILY.acl.access", b"SCHILY.acl.default"

_PRINTABLE: Final = bytes(byte if 32 < byte < 127 else 95 for byte in range(256))

END: Final = bytes(2 * BLOCK)
"""What an archive ends with."""


class Extents:
    """Where a sparse file has data: offset and length of each stretch, in order. 16 bytes in memory for each."""

    def __init__(self) -> None:
        self._offsets = array("Q")
        self._lengths = array("Q")
        self.end = 0
        """Where the last stretch ends."""
        self.data_size = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._offsets, self._lengths, strict=True)

    def __len__(self) -> int:
        return len(self._offsets)

    def add(self, offset: int, length: int) -> None:
        """One stretch more. Empty ones are left out, adjacent ones joined. Raises ValueError."""
        if offset < self.end or length < 0:
            raise ValueError("the map of a sparse file is not in order")
        if not length:
            return
        if offset == self.end and self._lengths:
            self._lengths[-1] += length
        elif len(self._offsets) < MAX_EXTENTS and offset + length < 1 << 63:
            self._offsets.append(offset)
            self._lengths.append(length)
        else:
            raise ValueError("the map of a sparse file is too long")
        self.end = offset + length
        self.data_size += length


@dataclass(slots=True)
class Member:
    """One member. Paths and names are raw bytes, sizes bytes, times ns since 1970 UTC."""

    path: bytes
    """Without the slash that marks a directory in the archive."""
    typeflag: bytes = REGULAR
    mode: int = 0o644
    """Permission bits only."""
    uid: int = 0
    gid: int = 0
    uname: bytes = b""
    gname: bytes = b""
    size: int = 0
    """Of the file, holes included."""
    mtime_ns: int = 0
    linkname: bytes = b""
    device: tuple[int, int] = (0, 0)
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    extents: Extents | None = None
    """Where a sparse file has data; None for any other."""
    records: Records = field(default_factory=dict)
    """Further PAX records: `comment`, ACLs as text."""


def padding(size: int) -> bytes:
    """What follows `size` bytes of content, to fill the block."""
    return bytes(-size % BLOCK)


def encode_member(member: Member) -> bytes:
    """Everything that stands before the content: PAX records, header, and the map of a sparse file.

    A name that fits stands in its ustar field, in whatever encoding it is. POSIX wants a record for any that is not
    ASCII; but every tar takes the bytes of a field as they are, while bsdtar fails to convert records in the C locale
    (where cron runs it) and GNU tar remarks upon `hdrcharset`.
    """
    records: Records = {}
    binary = False
    path = member.path + b"/" if member.typeflag == DIRECTORY else member.path
    header = TarHeader(
        path,
        member.typeflag,
        member.mode,
        member.uid,
        member.gid,
        member.size,
        member.mtime_ns // pax.NS,
        member.linkname,
        member.uname,
        member.gname,
        *member.device,
    )
    sparse_map = b""
    if member.extents is not None:
        sparse_map = _sparse_map(member.extents, member.size)
        header.size = len(sparse_map) + member.extents.data_size
        header.name = b"GNUSparseFile.0/" + path.rpartition(b"/")[2][:80]
        records[b"GNU.sparse.major"] = b"1"
        records[b"GNU.sparse.minor"] = b"0"
        records[b"GNU.sparse.name"] = path
        records[b"GNU.sparse.realsize"] = b"%d" % member.size
        binary = not _is_utf8(path)
    elif split_name(path) is None:
        records[b"path"] = path
        binary = not _is_utf8(path)
    if not fits_link(member.linkname):
        records[b"linkpath"] = member.linkname
        binary = binary or not _is_utf8(member.linkname)
    for key, name in ((b"uname", member.uname), (b"gname", member.gname)):
        if not fits_owner(name):
            records[key] = name
            binary = binary or not _is_utf8(name)
    _number_records(member, header, records)
    records.update((XATTR_PREFIX + encode_xattr_name(name), value) for name, value in member.xattrs.items())
    records.update(member.records)
    if binary:
        records = {b"hdrcharset": b"BINARY", **records}
    block = build_header(header)
    if not records:
        return block
    packed = pax.pack_records(records)
    extra = TarHeader(b"PaxHeaders/" + _short(path), PAX_NEXT, size=len(packed))
    return b"".join((build_header(extra), packed, padding(len(packed)), block, sparse_map))


def encode_xattr_name(name: bytes) -> bytes:
    """GNU tar's way of having `=` in a key."""
    return name.replace(b"%", b"%25").replace(b"=", b"%3D")


def decode_xattr_name(key: bytes) -> bytes:
    """The name of an extended attribute, from the key of its record."""
    return key.replace(b"%3D", b"=").replace(b"%25", b"%")


def _number_records(member: Member, header: TarHeader, records: Records) -> None:
    """Records for the numbers that do not fit in octal fields."""
    if member.uid > LAST_OCTAL_ID:
        records[b"uid"] = b"%d" % member.uid
    if member.gid > LAST_OCTAL_ID:
        records[b"gid"] = b"%d" % member.gid
    if header.size > LAST_OCTAL_SIZE:
        records[b"size"] = b"%d" % header.size
    if member.mtime_ns % pax.NS or not 0 <= header.mtime <= LAST_OCTAL_SIZE:
        records[b"mtime"] = pax.pack_time(member.mtime_ns)
    if max(member.device) > LAST_OCTAL_ID:
        records[b"SCHILY.devmajor"] = b"%d" % member.device[0]
        records[b"SCHILY.devminor"] = b"%d" % member.device[1]


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _short(path: bytes) -> bytes:
    """Something like the name, for a header that no reader shows."""
    return path.rstrip(b"/").rpartition(b"/")[2][:80].translate(_PRINTABLE)


def _sparse_map(extents: Extents, size: int) -> bytes:
    """The map in decimal lines. GNU tar ends it with an empty stretch where the file ends in a hole."""
    lines = [b"%d\n%d\n" % extent for extent in extents]
    if extents.end < size:
        lines.append(b"%d\n0\n" % size)
    text = b"%d\n" % len(lines) + b"".join(lines)
    return text + padding(len(text))
