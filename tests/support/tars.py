"""Archives made by hand, with nothing of ours, for what a proper tar never writes."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable

REGULAR, LINK, SYMLINK, DIRECTORY = b"0", b"1", b"2", b"5"


def header(
    name: bytes, typeflag: bytes = REGULAR, size: int | bytes = 0, *, link: bytes = b"", **fields: bytes
) -> bytes:
    """A ustar header with the right checksum. `fields` replace raw bytes: `mode=b"..."`."""
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = b"%011o\0" % size if isinstance(size, int) else size
    block[136:148] = b"%011o\0" % 1_000_000
    block[156:157] = typeflag
    block[157 : 157 + len(link)] = link
    block[257:265] = b"ustar\x0000"
    places = {"mode": 100, "uid": 108, "gid": 116, "mtime": 136, "magic": 257, "uname": 265, "tail": 345}
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    return with_sum(bytes(block))


def with_sum(block: bytes) -> bytes:
    """The same header with the checksum it should have."""
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def filled(data: bytes) -> bytes:
    """Data filled up to whole blocks."""
    return data + bytes(-len(data) % 512)


def record(key: bytes, value: bytes) -> bytes:
    """One PAX record."""
    rest = len(key) + len(value) + 3
    length = next(n for n in range(rest, rest + 20) if n == rest + len(str(n)))
    return b"%d %b=%b\n" % (length, key, value)


def pax(records: dict[bytes, bytes], typeflag: bytes = b"x") -> bytes:
    """An extended header."""
    data = b"".join(record(key, value) for key, value in records.items())
    return header(b"PaxHeaders/x", typeflag, len(data)) + filled(data)


def member(name: bytes, data: bytes = b"", typeflag: bytes = REGULAR, *, link: bytes = b"") -> bytes:
    """A member with its data."""
    return header(name, typeflag, len(data), link=link) + filled(data)


def archive(*members: bytes) -> bytes:
    """Members and the end mark."""
    return b"".join(members) + bytes(1024)


ONE_ZERO = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": b"s"}
"""Records of a sparse member whose map stands before its data."""


def sparse(records: dict[bytes, bytes], data: bytes) -> bytes:
    """A member that its records say is sparse."""
    return pax(records) + member(b"s", data)


def sparse_one_zero(real: int, text: bytes, data: bytes = b"") -> bytes:
    """A sparse member in version 1.0: its real size, the text of its map, its data."""
    return sparse(ONE_ZERO | {b"GNU.sparse.realsize": b"%d" % real}, filled(text) + data)


def of_tarfile(members: Iterable[tuple[tarfile.TarInfo, bytes]], form: int) -> bytes:
    """An archive by Python's tarfile."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as made:
        for info, data in members:
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return out.getvalue()
