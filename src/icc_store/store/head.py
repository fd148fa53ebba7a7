"""The `head` file: which commit was the last one, kept outside LMDB.

One changed byte in LMDB's newest meta page makes it open the commit before, in silence. `head` is written after each
commit, so a database that is older than `head` says has lost something. It is 64 bytes in one sector, written in
place: a crash leaves the old record or the new one, and an old one is harmless (LMDB is then newer, which is fine).
"""

from __future__ import annotations

import errno
import os
import struct
from pathlib import Path

from icc_store.codec.hashing import CHECKSUM_SIZE, checksum
from icc_store.errors import BlockDamaged
from icc_store.quick_dataclass import dataclass
from icc_store.store.plain_files import read_plain

_MAGIC = b"ICCHEAD1"
_RECORD = struct.Struct("<8sQ16s16s")
HEAD_SIZE = _RECORD.size + CHECKSUM_SIZE


@dataclass(frozen=True)
class Head:
    """The last commit: its sequence number and its random id."""

    sequence: int
    commit: bytes


def head_bytes(repository: bytes, head: Head) -> bytes:
    """The 64 bytes of the file."""
    record = _RECORD.pack(_MAGIC, head.sequence, head.commit, repository)
    return record + checksum(record)


def parse_head(data: bytes, repository: bytes, path: Path) -> Head:
    """What the contents of the file at `path` say. Raises BlockDamaged when they are broken or another repository's."""
    record = data[: _RECORD.size]
    if len(data) != HEAD_SIZE or checksum(record) != data[_RECORD.size :]:
        raise BlockDamaged(f"{path} is damaged", hint="run `icc-store verify`")
    magic, sequence, commit, owner = _RECORD.unpack(record)
    if magic != _MAGIC or owner != repository:
        raise BlockDamaged(f"{path} belongs to another repository", hint="put the right file back")
    return Head(sequence, commit)


def write_head(path: Path, repository: bytes, head: Head) -> None:
    """Record the last commit and wait until it is on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        data = head_bytes(repository, head)
        if os.pwrite(descriptor, data, 0) != len(data):
            raise OSError(errno.EIO, "cut off while it was written", os.fspath(path))
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def read_head(path: Path, repository: bytes) -> Head:
    """What `head` says. Raises BlockDamaged when it is missing, broken or another repository's."""
    try:
        data = read_plain(path, HEAD_SIZE)
    except FileNotFoundError:
        raise BlockDamaged(f"{path} is missing", hint="run `icc-store verify`") from None
    return parse_head(data, repository, path)


def fsync_path(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
