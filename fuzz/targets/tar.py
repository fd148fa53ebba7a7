"""Archives that come in: compression, headers, PAX records, sparse maps, ACLs, our own comments.

Most random changes only break a header's checksum. So each input is read twice: as it came, and with the checksums of
its headers put right.
"""

from __future__ import annotations

import io
import tarfile
from typing import Any

from fuzz.structure import Form
from icc_store.codec.archive_stream import ArchiveFormat, ArchiveReader, ArchiveWriter
from icc_store.codec.pax import pack_records, parse_records
from icc_store.codec.posix_acl import acl_from_text
from icc_store.codec.tar_header import read_octal
from icc_store.codec.tar_member import ACCESS_ACL, Extents, Member, encode_member, padding
from icc_store.codec.tar_reader import TarReader
from icc_store.model.tar_comment import parse_remarks

ALLOWED: tuple[type[BaseException], ...] = (ValueError,)
_BLOCK = 512
_MAX_READ = 1 << 26


def fuzz_one(data: bytes) -> None:
    """Read an archive to its end, as an import does."""
    try:
        _read(data)
    except ValueError:
        pass
    _read(_with_sums(data))


def _read(data: bytes) -> None:
    reader = TarReader(ArchiveReader(io.BytesIO(data).read).read)
    total = 0
    for member in reader:
        parse_remarks(member.records.get(b"comment", b""))
        acl = member.records.get(ACCESS_ACL)
        if acl is not None:
            acl_from_text(acl, lambda _: None, lambda _: None)
        while piece := reader.read(1 << 16):
            total += len(piece)
            if total > _MAX_READ:
                return


def _with_sums(data: bytes) -> bytes:
    fixed = bytearray(data)
    for start in range(0, len(data) - _BLOCK + 1, _BLOCK):
        block = fixed[start : start + _BLOCK]
        if block[257:262] == b"ustar":
            block[148:156] = b" " * 8
            fixed[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    return bytes(fixed)


def _seed(form: ArchiveFormat) -> bytes:
    extents = Extents()
    extents.add(0, 10)
    extents.add(5000, 20)
    members = [
        (Member(b"p" * 130, xattrs={b"user.a": b"v"}, mtime_ns=1_500_000_001, size=600), b"x" * 600),
        (Member(b"s", size=9000, extents=extents), b"s" * 30),
        (Member(b"d", b"5", records={ACCESS_ACL: b"user::rwx,user:7:r--,group::r-x,mask::r-x,other::---"}), b""),
        (Member(b"f", records={b"comment": b'icc-store {"cut_as":0,"flags":2,"kept":"81cc8001"}'}, size=1), b"1"),
        (Member(b"l", b"2", linkname=b"t" * 120), b""),
        (Member(b"h", b"1", linkname=b"f"), b""),
        (Member(b"c", b"3", device=(5, 70_000_000)), b""),
    ]
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, form)
    for member, data in members:
        writer.write(encode_member(member) + data + padding(len(data)))
    writer.write(bytes(1024))
    writer.close()
    return out.getvalue()


def _gnu() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        info = tarfile.TarInfo("n" * 150)
        info.uid, info.size = 1 << 30, 700
        archive.addfile(info, io.BytesIO(bytes(700)))
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "t" * 150
        archive.addfile(info)
    return out.getvalue()


def _members(data: bytes) -> list[Any]:
    """Header and content of each member; PAX records as a list of pairs."""
    found: list[Any] = []
    at = 0
    while at + _BLOCK <= len(data):
        header = data[at : at + _BLOCK]
        try:
            size = read_octal(header[124:136])
        except ValueError:
            size = 0
        content = data[at + _BLOCK : at + _BLOCK + size] if 0 < size < len(data) else b""
        at += _BLOCK + len(content) + len(padding(len(content)))
        if header[156:157] in {b"x", b"g"}:
            found.append([header, [list(pair) for pair in parse_records(content)]])
        else:
            found.append([header, content])
    return found


def _archive(members: list[Any]) -> bytes:
    """The same with lengths that are right again; fuzz_one makes the sums right."""
    out = []
    for header, said in members:
        content = b"".join(pack_records({key: value}) for key, value in said) if isinstance(said, list) else said
        start = header[:124] + b"%011o\0" % len(content) + header[136:] if content else header
        out += [start.ljust(_BLOCK, b"\0")[:_BLOCK], content, padding(len(content))]
    return b"".join(out)


FORMS = (Form(_members, _archive),)
WORDS = (
    *(b"GNU.sparse.map", b"GNU.sparse.major", b"GNU.sparse.realsize", b"GNU.sparse.offset", b"GNU.sparse.numblocks"),
    *(b"SCHILY.xattr.", b"SCHILY.acl.access", b"hdrcharset", b"BINARY", b"linkpath", b"mtime", b"size", b"comment"),
)

SEEDS = [*(_seed(form) for form in ArchiveFormat), _gnu()]
