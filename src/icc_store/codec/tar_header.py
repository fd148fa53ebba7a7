"""One 512-byte header block of a tar archive, read and written.

Reading takes what is found in the wild: the old V7 format, POSIX ustar and GNU, numbers in octal or base 256, either
way of summing. Writing makes POSIX ustar; what does not fit in its fields stands in PAX records (`codec.pax`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

BLOCK: Final = 512

REGULAR, LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
PAX_NEXT, PAX_GLOBAL, SOLARIS_PAX = b"x", b"g", b"X"
GNU_LONG_NAME, GNU_LONG_LINK, GNU_SPARSE, GNU_LABEL, GNU_DIRECTORY = b"L", b"K", b"S", b"V", b"D"

LAST_OCTAL_ID: Final = 0o7777777
LAST_OCTAL_SIZE: Final = 0o77777777777
"""The largest numbers in fields of 8 and of 12 bytes."""

_NAME_SIZE, _PREFIX_SIZE = 100, 155
_POSIX_MAGIC, _GNU_MAGIC = b"ustar\x00", b"ustar "
_SUM_FIELD = slice(148, 156)
_OCTAL_DIGITS = b"01234567"
_BLANK_SUM = b" " * 8
_LAYOUT = struct.Struct("100s 8s 8s 8s 12s 12s 8s 1s 100s 8s 32s 32s 8s 8s 155s 12x")
"""Fields that are too long are cut, and all are filled up with zero bytes."""


@dataclass(slots=True)
class TarHeader:
    """The fields of a block, as they stand there. `gnu_tail` is what GNU keeps where POSIX has the prefix."""

    name: bytes
    typeflag: bytes = REGULAR
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    linkname: bytes = b""
    uname: bytes = b""
    gname: bytes = b""
    major: int = 0
    minor: int = 0
    gnu_tail: bytes = b""


def split_name(path: bytes) -> tuple[bytes, bytes] | None:
    """Prefix and name that stand for a path in a ustar header; None when it is too long for one."""
    if len(path) <= _NAME_SIZE:
        return b"", path
    at = path.rfind(b"/", 0, _PREFIX_SIZE + 1)
    if at <= 0 or not 0 < len(path) - at - 1 <= _NAME_SIZE:
        return None
    return path[:at], path[at + 1 :]


def fits_link(target: bytes) -> bool:
    """Whether a link's target fits in its field."""
    return len(target) <= _NAME_SIZE


def fits_owner(name: bytes) -> bool:
    """Whether a user or group name fits in its field; the field ends in a zero byte."""
    return len(name) < 32


def build_header(header: TarHeader) -> bytes:
    """The block. What is too long is cut, a number too large or negative is written as 0: PAX records say it right."""
    prefix, name = split_name(header.name) or (b"", header.name)
    block = _LAYOUT.pack(
        name,
        b"%07o" % (header.mode & 0o7777),
        _octal(header.uid, LAST_OCTAL_ID, 7),
        _octal(header.gid, LAST_OCTAL_ID, 7),
        _octal(header.size, LAST_OCTAL_SIZE, 11),
        _octal(header.mtime, LAST_OCTAL_SIZE, 11),
        _BLANK_SUM,
        header.typeflag,
        header.linkname,
        b"ustar\x0000",
        header.uname[:31],
        header.gname[:31],
        _octal(header.major, LAST_OCTAL_ID, 7),
        _octal(header.minor, LAST_OCTAL_ID, 7),
        prefix,
    )
    return b"%b%06o\x00 %b" % (block[: _SUM_FIELD.start], sum(block), block[_SUM_FIELD.stop :])


def parse_header(block: bytes) -> TarHeader:
    """The fields of a block. Raises ValueError when it is not a tar header."""
    if len(block) != BLOCK:
        raise ValueError("a header is cut off")
    _check_sum(block)
    header = TarHeader(
        _text(block[:100]),
        REGULAR if block[156:157] == b"\x00" else block[156:157],
        _number(block[100:108]),
        _number(block[108:116]),
        _number(block[116:124]),
        _number(block[124:136]),
        _number(block[136:148]),
        _text(block[157:257]),
    )
    magic = block[257:263]
    if magic in {_POSIX_MAGIC, _GNU_MAGIC}:
        header.uname = _text(block[265:297])
        header.gname = _text(block[297:329])
        if header.typeflag in {CHARACTER, BLOCK_DEVICE}:
            header.major = _number(block[329:337])
            header.minor = _number(block[337:345])
    if magic == _GNU_MAGIC:
        header.gnu_tail = block[345:]
    elif magic == _POSIX_MAGIC:
        prefix = _text(block[345:500])
        if prefix:
            header.name = prefix + b"/" + header.name
    if header.size < 0:
        raise ValueError("a member's size is negative")
    return header


def read_octal(field: bytes) -> int:
    """A number as header fields hold it. Raises ValueError."""
    return _number(field)


def _check_sum(block: bytes) -> None:
    try:
        said = _number(block[_SUM_FIELD])
    except ValueError:
        said = -1
    blank = block[:148] + _BLANK_SUM + block[156:]
    total = sum(blank)
    if said != total and said != total - 256 * sum(byte > 127 for byte in blank):  # some summed signed chars
        raise ValueError("a header's checksum is wrong")


def _octal(number: int, largest: int, digits: int) -> bytes:
    return b"%0*o" % (digits, number if 0 <= number <= largest else 0)


def _number(field: bytes) -> int:
    """Octal digits; with the first bit set, base 256 in two's complement."""
    if field[0] in {0x80, 0xFF}:
        number = int.from_bytes(field[1:])
        return number if field[0] == 0x80 else number - (1 << 8 * (len(field) - 1))
    digits = field.split(b"\x00", 1)[0].strip()
    if not digits:
        return 0
    if digits.strip(_OCTAL_DIGITS):
        raise ValueError("a header holds a number that is not one")
    return int(digits, 8)


def _text(field: bytes) -> bytes:
    return field.split(b"\x00", 1)[0]
