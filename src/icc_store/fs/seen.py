"""What the last run saw of a directory, so that the next one need not read what has not changed.

There is one row per directory, or per part of a large one, for each source. It names the tree that describes the part
and holds a fingerprint of everything `stat` said, names and subtrees included. When the fingerprint is the same, the
part is the same, and its tree is not even read. When it is not, the marks that follow tell which files changed: each
is made of the change time and the inode number of one entry. Sizes and modification times stand in the tree.

    tree id (32)  fingerprint (16)  mark of each entry (8, native order)

A file that changed less than two seconds before it was seen may change again within the same time stamp. Its mark is
written as zero, which never matches, so it is read again next time (git's "racy" rule).
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from icc_store.codec.hashing import fingerprint
from icc_store.ids import ID_SIZE, ObjectId

_FINGERPRINT_SIZE = 16
NO_FINGERPRINT = bytes(_FINGERPRINT_SIZE)
"""Matches nothing: of a part whose files may have changed since without a sign, every entry is looked at next time."""
_HEAD = ID_SIZE + _FINGERPRINT_SIZE
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_MIX = 0x9E37_79B9_7F4A_7C15
_RACY = 0
"""A mark that no entry has."""


@dataclass(frozen=True, slots=True)
class SeenRow:
    """One row, as it was left."""

    tree: ObjectId
    fingerprint: bytes
    column: bytes

    def marks(self) -> array[int]:
        """The marks of all entries. Of a row that was left with 16 bytes each, twice as many as there are entries."""
        return array("Q", self.column)


def row_key(label: bytes, path: bytes, first_name: bytes) -> bytes:
    """The key of a part's row. `label` stands for host and source; the first part's `first_name` is empty."""
    return fingerprint(label, b"\0", path, b"\0/\0", first_name)


def list_key(label: bytes, path: bytes) -> bytes:
    """The key of the row that lists the first names of a large directory's parts."""
    return fingerprint(label, b"\0", path, b"\0//\0")


def parse_row(row: bytes) -> SeenRow | None:
    """The row, or None when it cannot be one: it is derived, so it is simply made anew."""
    if len(row) < _HEAD or (len(row) - _HEAD) % 8:
        return None
    return SeenRow(ObjectId(row[:ID_SIZE]), row[ID_SIZE:_HEAD], row[_HEAD:])


def fingerprint_of(names: Sequence[bytes], statuses: Sequence[os.stat_result], others: Sequence[bytes]) -> bytes:
    """What a part looks like from outside; `others` are subtrees and the like.

    This and the call of `stat` are all that an unchanged file costs.
    """
    flat = array("Q")
    extend = flat.extend
    for status in statuses:
        extend((status.st_ino, status.st_size, status.st_mtime_ns & _MASK, status.st_ctime_ns & _MASK))
    return fingerprint(b"\0".join(names), b"\0\0", flat.tobytes(), *others)


def mark_of(status: os.stat_result) -> int:
    """Eight bytes that differ whenever the change time does, and as good as always when only the inode does."""
    return (status.st_ctime_ns ^ status.st_ino * _MIX) & _MASK or 1


def make_row(tree: ObjectId, statuses: Sequence[os.stat_result], outside: bytes, racy_from_ns: int) -> bytes:
    """The row to leave, with `fingerprint_of` the part. What changed at `racy_from_ns` or later will not match."""
    column = array("Q")
    for status in statuses:
        if status.st_ctime_ns >= racy_from_ns or status.st_mtime_ns >= racy_from_ns:
            column.append(_RACY)
            outside = NO_FINGERPRINT
        else:
            column.append(mark_of(status))
    return tree + outside + column.tobytes()
