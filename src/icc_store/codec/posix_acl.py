"""POSIX access control lists: the bytes Linux keeps in `system.posix_acl_*`, and the text tar archives hold.

On Linux (`linux/posix_acl_xattr.h`): a version, then tag, permissions and qualifier of each entry, little endian.
In archives (star, GNU tar, libarchive): `user::rwx,user:1000:r-x,group::r-x,mask::r-x,other::---`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

ACCESS, DEFAULT = b"system.posix_acl_access", b"system.posix_acl_default"

_VERSION: Final = struct.pack("<I", 2)
_ENTRY: Final = struct.Struct("<HHI")
_NOBODY: Final = 0xFFFFFFFF
"""The qualifier of entries that have none."""

_USER_OWNER, _USER, _GROUP_OWNER, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_WORDS: Final = {
    _USER_OWNER: b"user", _USER: b"user", _GROUP_OWNER: b"group", _GROUP: b"group", _MASK: b"mask", _OTHER: b"other",
}  # fmt: skip
_TAGS: Final = {
    b"user": (_USER_OWNER, _USER), b"u": (_USER_OWNER, _USER), b"group": (_GROUP_OWNER, _GROUP),
    b"g": (_GROUP_OWNER, _GROUP), b"mask": (_MASK, _MASK), b"m": (_MASK, _MASK), b"other": (_OTHER, _OTHER),
    b"o": (_OTHER, _OTHER),
}  # fmt: skip

Lookup = Callable[[bytes], int | None]
"""The number of a user or group, if there is one of that name."""


def acl_text(value: bytes) -> bytes | None:
    """The text of an ACL; None when these bytes are no ACL that we know."""
    if not value.startswith(_VERSION) or (len(value) - len(_VERSION)) % _ENTRY.size:
        return None
    entries = []
    for tag, permissions, qualifier in _ENTRY.iter_unpack(value[len(_VERSION) :]):
        if tag not in _WORDS:
            return None
        who = b"%d" % qualifier if tag in {_USER, _GROUP} else b""
        letters = bytes(letter if permissions & bit else 45 for letter, bit in zip(b"rwx", (4, 2, 1), strict=True))
        entries.append(b":".join((_WORDS[tag], who, letters)))
    return b",".join(entries)


def permissions_with(mode: int, acl: bytes) -> int:
    """Permission bits as Linux shows them for a file with this access list: those of the group are the mask's.

    Archives by libarchive have the owning group's instead.
    """
    found = {tag: bits for tag, bits, _ in _ENTRY.iter_unpack(acl[len(_VERSION) :])}
    return mode & ~0o070 | found[_MASK] << 3 if _MASK in found else mode


def acl_from_text(text: bytes, user: Lookup, group: Lookup) -> bytes:
    """The bytes Linux keeps for an ACL given as text. Raises ValueError."""
    entries = []
    for line in text.replace(b"\n", b",").split(b","):
        words = line.partition(b"#")[0].strip().split(b":")
        if words == [b""]:
            continue
        if len(words) < 3 or words[0] not in _TAGS:
            raise ValueError(f"{line[:80]!r} is not an entry of an ACL")
        without, qualified = _TAGS[words[0]]
        number = _NOBODY
        if words[1]:
            number = _number(words, user if qualified == _USER else group)
        letters = words[2].strip()
        if not set(letters) <= set(b"rwx-"):
            raise ValueError(f"{line[:80]!r} is not an entry of an ACL")
        permissions = sum(bit for letter, bit in zip(b"rwx", (4, 2, 1), strict=True) if letter in letters)
        entries.append((qualified if words[1] else without, permissions, number))
    return _VERSION + b"".join(_ENTRY.pack(tag, permissions, number) for tag, permissions, number in _sorted(entries))


def _number(words: list[bytes], lookup: Lookup) -> int:
    """Whom a qualified entry is about: the number star adds, a number as name, or the name's number here."""
    for word in (words[3] if len(words) > 3 else b"", words[1]):
        if word.strip().isdigit() and int(word) < _NOBODY:
            return int(word)
    number = lookup(words[1])
    if number is None:
        raise ValueError(f"an ACL names {words[1][:40]!r}, whom this machine does not know")
    return number


def _sorted(entries: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """In the order the kernel wants: by tag, then by number."""
    return sorted(entries, key=lambda entry: (entry[0], entry[2]))
