"""One regular file into the store: read it, notice when it changes meanwhile, keep what is new.

A file that changes while it is read is read again, three times in all; then what was read last is kept and marked.
So is one whose device fails; what a failing device gives at last is read twice.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from icc_store.codec.chunking import Stream
from icc_store.codec.hashing import chunk_id
from icc_store.codec.serial import pack
from icc_store.fs.file_reader import FileReader, data_extents, is_sparse, require_regular, unchanged
from icc_store.fs.metadata import open_xattrs
from icc_store.fs.watcher import Feed, Watcher
from icc_store.ids import Kind, ObjectId
from icc_store.limits import INLINE_XATTRS, READ_TRIES, WHOLE_FILE_SIZE
from icc_store.model.content_writer import Adder, store_stream
from icc_store.model.entry import (
    CHUNK,
    FLAG_CHANGED_WHILE_READ,
    FLAGS,
    GID,
    LIST,
    MODE,
    MTIME,
    NAME,
    SIZE,
    UID,
    XATTRS,
    XATTRS_ID,
    Wire,
    in_order,
)
from icc_store.model.tree import Objects

_LARGE_READ = 1 << 20


class FileStore:
    """Stores files of one run."""

    def __init__(
        self, adder: Adder, objects: Objects, watcher: Watcher | None = None, reader: FileReader | None = None
    ) -> None:
        """Files are read by `reader`, without one from the file system as it is."""
        self._watcher = watcher
        self._add = adder.add
        self._adder = adder
        self._objects = objects
        self._reader = FileReader() if reader is None else reader
        self.read_bytes = 0
        self.unsettled = 0
        """Files that kept changing while they were read."""

    def store(self, dir_fd: int, name: bytes, status: os.stat_result, earlier: Wire | None) -> Wire:
        """The entry of a regular file, its content stored. `earlier` is its entry in the snapshot before.

        Where the device fails it is read again, READ_TRIES times in all, and what it gives then is not believed before
        it gave the same twice. Raises OSError when it cannot be read.
        """
        failure: OSError | None = None
        first: Wire | None = None
        for _ in range(READ_TRIES):
            try:
                wire = self._read(dir_fd, name, status, earlier)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                failure = error
                continue
            if failure is None or FLAGS in wire:
                return wire
            if first is not None and (first.get(CHUNK), first.get(LIST)) != (wire.get(CHUNK), wire.get(LIST)):
                raise OSError(errno.EIO, "reading it twice gave different bytes, though nobody changed it", name)
            first = wire
        if first is None:
            raise failure or OSError(errno.EIO, os.strerror(errno.EIO), name)
        return first

    def _read(self, dir_fd: int, name: bytes, status: os.stat_result, earlier: Wire | None) -> Wire:
        """Read a file until it does not change meanwhile."""
        wire: Wire = {}
        for _ in range(READ_TRIES):
            if status.st_size <= WHOLE_FILE_SIZE and not is_sparse(status):
                data, after, attributes = self._reader.read_small(dir_fd, name, status.st_size)
                settled = len(data) == status.st_size and unchanged(status, after)
                if self._watcher is not None:
                    self._watcher.whole(name, data)
                wire = self._whole(name, after, data, attributes, earlier, identity=chunk_id(data))
                if settled:
                    return wire
            else:
                wire, after, settled = self._stream(dir_fd, name, status.st_size, earlier)
                if settled:
                    return wire
            status = after
        self.unsettled += 1
        return in_order(wire | {FLAGS: FLAG_CHANGED_WHILE_READ})

    def store_copy(self, name: bytes, status: os.stat_result, copy_fd: int, earlier: Wire | None, *, flag: int) -> Wire:
        """The entry of `name` with the content of another open file, for what cannot be read in place."""
        size = os.fstat(copy_fd).st_size
        content, length = self._content(name, copy_fd, size, earlier)
        return in_order(_base_wire(name, status, length) | content | {FLAGS: flag})

    def store_pipe(self, stream: BinaryIO, earlier: Wire | None) -> Wire:
        """Size and content of a stream that is read to its end. Raises OSError."""
        head = stream.read(WHOLE_FILE_SIZE + 1)
        if len(head) <= WHOLE_FILE_SIZE:
            self.read_bytes += len(head)
            base = earlier.get(CHUNK) if earlier else None
            if not head:
                return {SIZE: 0}
            return {SIZE: len(head), CHUNK: self._add(Kind.CHUNK, head, bases=(base,) if base is not None else ())}
        identity, length = store_stream(
            self._adder,
            self._objects,
            [_Pipe(head, stream)],
            size=len(head),
            earlier_chunk=(earlier or {}).get(CHUNK),
            earlier_list=(earlier or {}).get(LIST),
            ahead=False,
        )
        self.read_bytes += length
        return {SIZE: length, LIST: identity}

    def attributes(self, wire: Wire, attributes: dict[bytes, bytes]) -> None:
        """Put extended attributes into an entry: as they are when few, as an object when many."""
        packed = pack(attributes)
        if len(packed) <= INLINE_XATTRS:
            wire[XATTRS] = attributes
        else:
            wire[XATTRS_ID] = self._add(Kind.XATTRS, packed)

    def _whole(
        self,
        name: bytes,
        status: os.stat_result,
        data: bytes,
        attributes: dict[bytes, bytes],
        earlier: Wire | None,
        *,
        identity: ObjectId,
    ) -> Wire:
        self.read_bytes += len(data)
        wire = _base_wire(name, status, len(data))
        if data:
            base: ObjectId | None = earlier.get(CHUNK) if earlier is not None else None
            self._add(Kind.CHUNK, data, identity=identity, bases=(base,) if base is not None else ())
            wire[CHUNK] = identity
        if attributes:
            self.attributes(wire, attributes)
        return wire

    def _stream(self, dir_fd: int, name: bytes, size: int, earlier: Wire | None) -> tuple[Wire, os.stat_result, bool]:
        fd = self._reader.open(dir_fd, name)
        try:
            before = os.fstat(fd)
            attributes = open_xattrs(fd)
            content, length = self._content(name, fd, size, earlier)
            after = os.fstat(fd)
        finally:
            os.close(fd)
        require_regular(after, name)
        wire = _base_wire(name, after, length) | content
        if attributes:
            self.attributes(wire, attributes)
        return wire, after, length == after.st_size and unchanged(before, after)

    def _content(self, name: bytes, fd: int, size: int, earlier: Wire | None) -> tuple[Wire, int]:
        feed = self._watcher.stream(name) if self._watcher is not None else None
        if size == 0:
            return {}, 0
        earlier = earlier or {}
        identity, length = store_stream(
            self._adder,
            self._objects,
            self._extents(fd, size, feed),
            size=size,
            earlier_chunk=earlier.get(CHUNK),
            earlier_list=earlier.get(LIST),
        )
        return {LIST: identity}, length

    def _extents(self, fd: int, size: int, feed: Feed | None) -> Iterator[Stream | int]:
        """Data and holes of an open file, in order."""
        position = 0
        for offset, length in data_extents(fd, size):
            if offset > position:
                _feed_hole(feed, offset - position)
                yield offset - position
            extent = _Extent(fd, offset, length, feed)
            yield extent
            self.read_bytes += extent.done
            position = offset + extent.done
            if extent.done < length:
                return  # the file was cut off meanwhile
        if position < size:
            _feed_hole(feed, size - position)
            yield size - position


class _Pipe:
    """The beginning of a stream, and what follows it."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        if self._head:
            count = min(len(view), len(self._head))
            view[:count] = self._head[:count]
            self._head = self._head[count:]
            return count
        data = self._rest.read(min(len(view), _LARGE_READ))
        view[: len(data)] = data
        return len(data)


class _Extent:
    """A part of an open file, read in order."""

    def __init__(self, fd: int, offset: int, length: int, feed: Feed | None) -> None:
        self._feed = feed
        self._fd = fd
        self._offset = offset
        self._left = length
        self.done = 0

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: min(self._left, _LARGE_READ)]
        if not view:
            return 0
        count = os.preadv(self._fd, [view], self._offset)
        if self._feed is not None:
            self._feed(view[:count])
        self._offset += count
        self._left -= count
        self.done += count
        return count


def _feed_hole(feed: Feed | None, size: int) -> None:
    """Zeros, for who wants every byte."""
    while feed is not None and size:
        step = min(size, _LARGE_READ)
        feed(bytes(step))
        size -= step


def _base_wire(name: bytes, status: os.stat_result, size: int) -> Wire:
    return {
        NAME: name,
        MODE: status.st_mode,
        UID: status.st_uid,
        GID: status.st_gid,
        SIZE: size,
        MTIME: status.st_mtime_ns,
    }
