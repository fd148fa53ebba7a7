"""A file on the disk against an entry of a snapshot: are the contents the same, and what else differs?

Contents are compared by ids. A file is hashed chunk by chunk as the snapshot cut it, so nothing is read from the
repository but the list of chunks, and a difference ends the reading.
"""

from __future__ import annotations

import errno
import os
import stat

from icc_store.codec.hashing import chunk_id
from icc_store.fs.file_reader import FileReader
from icc_store.fs.metadata import device_numbers, read_link, xattrs
from icc_store.fs.ownership import LocalOwners
from icc_store.limits import MAX_OBJECT_SIZE
from icc_store.model.attributes import attributes_of
from icc_store.model.content import HOLE, list_pieces
from icc_store.model.entry import CHUNK, NAME, SIZE, Entry, Wire
from icc_store.model.tree import Objects, Owners

_READ_SIZE = 1 << 20
_ZEROS = bytes(_READ_SIZE)
_SYSTEM_LABELS = frozenset((b"security.selinux", b"security.ima", b"security.evm"))
"""Given by the system by its own rules; no backup gives them back."""

_SET_ID = stat.S_ISUID | stat.S_ISGID


class LiveFiles:
    """Compares the live file system with entries of one repository's snapshots."""

    def __init__(self, objects: Objects, *, numeric_ids: bool = False) -> None:
        self._objects = objects
        self._reader = FileReader()
        self._owners = LocalOwners(numeric=numeric_ids)
        self._root = os.geteuid() == 0
        self._groups = frozenset((os.getegid(), *os.getgroups()))

    def same_content(self, dir_fd: int, entry: Entry, *, from_disk: bool = False) -> bool:
        """Whether the regular file of that name in the directory `dir_fd` has the contents of the entry.

        With `from_disk`, what the system has of it in memory is dropped first, as far as it can be.
        Raises OSError when the file cannot be read, ObjectMissing or BlockDamaged when its content list cannot.
        """
        fd = self._reader.open(dir_fd, entry.name)
        try:
            if os.fstat(fd).st_size != entry.size:
                return False
            if from_disk:
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            if entry.chunk is not None:
                return chunk_id(_read(fd, 0, entry.size)) == entry.chunk
            return entry.content_list is None or self._same_pieces(fd, entry)
        finally:
            os.close(fd)

    def is_chunk(self, dir_fd: int, wire: Wire) -> bool:
        """Whether an entry is of a regular file of one chunk, and the file of its name has exactly these contents.

        For those of which there are many: what is none, or other, is looked at again by whoever can say why.
        Raises OSError when the file cannot be read.
        """
        chunk, size = wire.get(CHUNK), wire.get(SIZE, 0)
        if chunk is None or size > MAX_OBJECT_SIZE:
            return False
        data = self._reader.read_plain(dir_fd, wire[NAME], size)
        return len(data) == size and bool(chunk_id(data) == chunk)

    def _same_pieces(self, fd: int, entry: Entry) -> bool:
        offset = 0
        if entry.content_list is not None:
            for piece in list_pieces(self._objects, entry.content_list):
                if piece.id == HOLE:
                    if not _is_zero(fd, offset, piece.length):
                        return False
                elif chunk_id(_read(fd, offset, piece.length)) != piece.id:
                    return False
                offset += piece.length
        return offset == entry.size

    def differences(
        self, dir_fd: int, entry: Entry, owners: Owners, status: os.stat_result, *, restorable: bool = False
    ) -> tuple[str, ...]:
        """What differs beside the contents: of "mode", "owner", "mtime", "xattrs", "target" and "device".

        The types must be the same. With `restorable`, an owner that this user cannot give away counts for nothing,
        and neither do the setuid bits that go with it. Raises OSError when the file has gone.
        """
        found = []
        kind = stat.S_IFMT(entry.mode)
        wanted = self._owners.local(entry.uid, entry.gid, owners)
        other_owner = wanted != (status.st_uid, status.st_gid)
        bits = 0o7777
        if other_owner and restorable and not self._may_give(wanted, status):
            other_owner = False
            bits &= ~_SET_ID
        if kind != stat.S_IFLNK and (entry.mode ^ status.st_mode) & bits:
            found.append("mode")
        if other_owner:
            found.append("owner")
        if entry.mtime_ns != status.st_mtime_ns:
            found.append("mtime")
        if kind == stat.S_IFLNK and read_link(dir_fd, entry.name) != entry.target:
            found.append("target")
        if entry.device is not None and device_numbers(status) != entry.device:
            found.append("device")
        if self._attributes(xattrs(dir_fd, entry.name)) != self._attributes(attributes_of(self._objects, entry)):
            found.append("xattrs")
        return tuple(found)

    def _attributes(self, attributes: dict[bytes, bytes]) -> dict[bytes, bytes]:
        """Without those that do not count, and those that only root can see."""
        if not attributes:
            return attributes
        return {
            name: value
            for name, value in attributes.items()
            if name not in _SYSTEM_LABELS and (self._root or not name.startswith(b"trusted."))
        }

    def _may_give(self, wanted: tuple[int, int], status: os.stat_result) -> bool:
        if self._root:
            return True
        uid, gid = wanted
        return uid == status.st_uid == os.geteuid() and gid in self._groups


def _read(fd: int, offset: int, size: int) -> bytes:
    """`size` bytes from `offset` on, or fewer where the file ends."""
    data = os.pread(fd, size, offset)
    if len(data) == size:
        return data
    pieces = [data]
    got = len(data)
    while data and got < size:
        data = os.pread(fd, size - got, offset + got)
        pieces.append(data)
        got += len(data)
    return b"".join(pieces)


def _is_zero(fd: int, offset: int, size: int) -> bool:
    """Whether a range holds nothing but zeros. A hole in the file is not read."""
    end = offset + size
    while offset < end:
        try:
            offset = os.lseek(fd, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nothing but a hole from here on
                return True
        if offset >= end:
            return True
        data = _read(fd, offset, min(end - offset, _READ_SIZE))
        if data != _ZEROS[: len(data)]:
            return False
        if not data:
            return True
        offset += len(data)
    return True
