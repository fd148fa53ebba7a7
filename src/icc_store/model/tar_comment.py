"""What an entry says that tar has no field for, as the standard PAX record `comment`: every reader passes over it.

It makes an export come back as the very same tree: which name of a file with several was stored first, how a file was
cut where that is not what its size says, marks, a digest, and what newer programs added. The first member of a bare
tree says that it is one, so that nothing in it is taken for the wrapping of a backup.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from icc_store.codec.chunking import ChunkerParameters, parameters_for
from icc_store.codec.serial import pack, unpack
from icc_store.limits import GIB
from icc_store.model.entry import FIRST_KEPT_KEY, Wire

_BEGINS = b"icc-store "
_DIGEST_SIZE = 32
_SIZES = (0, 2 * GIB, 128 * GIB)
"""A size for each step of the chunker's parameters."""


@dataclass(slots=True)
class Remarks:
    """The fields. All absent: there is no comment."""

    cut_as: int | None = None
    """The file is a content list, cut as one of this size would be."""
    flags: int = 0
    digest: bytes | None = None
    first_name: bytes | None = None
    """Stored path of the first of the file's names, where the archive has another one first."""
    kept: Wire = field(default_factory=dict)
    bare: bool = False
    """The archive is the tree of a snapshot and nothing else; said by its first member."""


def size_cut_with(parameters: ChunkerParameters | None) -> int | None:
    """A file size for which these parameters are chosen; None when they are of another program."""
    return next((size for size in _SIZES if parameters_for(size) == parameters), None)


def pack_remarks(remarks: Remarks) -> bytes:
    """The text of the comment; empty when there is nothing to say."""
    said: dict[str, Any] = {}
    if remarks.cut_as is not None:
        said["cut_as"] = remarks.cut_as
    if remarks.flags:
        said["flags"] = remarks.flags
    if remarks.digest is not None:
        said["sha256"] = remarks.digest.hex()
    if remarks.first_name is not None:
        said["first_name"] = remarks.first_name.hex()
    if remarks.kept:
        said["kept"] = pack(dict(sorted(remarks.kept.items()))).hex()
    if remarks.bare:
        said["bare"] = 1
    return _BEGINS + json.dumps(said, separators=(",", ":")).encode() if said else b""


def parse_remarks(comment: bytes) -> Remarks:
    """What a comment says; nothing when it is of another program. Raises ValueError when it is broken."""
    if not comment.startswith(_BEGINS):
        return Remarks()
    try:
        said = json.loads(comment[len(_BEGINS) :])
        remarks = Remarks(said.get("cut_as"), said.get("flags", 0), bare=bool(said.get("bare")))
        if "sha256" in said:
            remarks.digest = bytes.fromhex(said["sha256"])
        if "first_name" in said:
            remarks.first_name = bytes.fromhex(said["first_name"])
        if "kept" in said:
            remarks.kept = unpack(bytes.fromhex(said["kept"]))
        _check(remarks)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"a comment of icc-store is broken: {error}") from error
    return remarks


def _check(remarks: Remarks) -> None:
    numbers = [remarks.flags, *remarks.kept] + ([] if remarks.cut_as is None else [remarks.cut_as])
    if not all(isinstance(number, int) and 0 <= number < 1 << 63 for number in numbers):
        raise ValueError("a number is not one")
    if any(key < FIRST_KEPT_KEY for key in remarks.kept):
        raise ValueError("it holds a field that is not its own")
    if remarks.digest is not None and len(remarks.digest) != _DIGEST_SIZE:
        raise ValueError("a digest is not one")
