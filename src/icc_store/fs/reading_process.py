"""What the process does that reads small files ahead of a scan (fs/read_ahead.py), and what the two say to each other.

Messages are MessagePack behind four bytes of length. The process says that it is there with an empty one. Then come
requests, each with the descriptor of the directory, and what is read is answered in the order asked for, in as many
messages as it takes:

    [stored path of the directory, [[name, size, mtime, ctime, inode], ...]]
    [None or [bytes, id, extended attributes, what was found out], ...]

None stands for whatever is out of the ordinary: a file that changed meanwhile, cannot be read, or is none any more.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

from icc_store.codec.hashing import chunk_id
from icc_store.codec.serial import pack, unpack
from icc_store.fs.file_reader import FileReader
from icc_store.ids import ObjectId
from icc_store.limits import KIB
from icc_store.model.paths import join

Look = Callable[[bytes, bytes], Any]
"""Takes a stored path and a file's bytes; returns what is found out, as plain values."""

Wanted = tuple[bytes, int, int, int, int]
"""A file's name, size, modification and change time, and inode, as the scan saw them."""

Found = tuple[bytes, ObjectId, dict[bytes, bytes], Any]
"""A file's bytes, the id of the chunk that they are, its extended attributes, and what was found out."""

HELLO = b""

_LENGTH_SIZE = 4
_MESSAGE_BYTES = 64 * KIB
"""An answer goes out when its files have as many: soon, so that the scan need not wait long for the first."""


def serve(channel: socket.socket, look: Look | None) -> None:
    """Answer requests until the other side is gone."""
    reading = _Reading(look)
    try:
        send(channel, HELLO)
        while True:
            request, directory = receive_with_directory(channel)
            try:
                for found in reading.answers(directory, *unpack(request)):
                    send(channel, pack(found))
            finally:
                os.close(directory)
    except (EOFError, ConnectionError):
        pass  # the scan is done, or has ended in some other way


class _Reading:
    """Reads what is asked for."""

    def __init__(self, look: Look | None) -> None:
        self._look = look
        self._reader = FileReader()

    def answers(self, directory: int, path: bytes, wanted: list[Wanted]) -> Iterator[list[Found | None]]:
        """What became of the files wanted, some at a time."""
        found: list[Found | None] = []
        size = 0
        for one in wanted:
            found.append(self._read(directory, path, one))
            size += one[1]
            if size >= _MESSAGE_BYTES:
                yield found
                found, size = [], 0
        if found:
            yield found

    def _read(self, directory: int, path: bytes, wanted: Wanted) -> Found | None:
        name, size, *_ = wanted
        try:
            data, status, attributes = self._reader.read_small(directory, name, size)
        except OSError:
            return None
        if len(data) != size or wanted_of(name, status) != tuple(wanted):
            return None
        found = self._look(join(path, name), data) if self._look is not None else None
        return data, chunk_id(data), attributes, found


def wanted_of(name: bytes, status: os.stat_result) -> Wanted:
    """What a file of this status is asked for as."""
    return name, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def send(channel: socket.socket, message: bytes, directory: int | None = None) -> None:
    """Send a message, with a descriptor where one is given. Raises OSError."""
    framed = len(message).to_bytes(_LENGTH_SIZE) + message
    if directory is not None:
        framed = framed[socket.send_fds(channel, [framed], [directory]) :]
    channel.sendall(framed)


def receive(channel: socket.socket) -> bytes:
    """The next message. Raises EOFError when the other side is gone, OSError."""
    return _exactly(channel, int.from_bytes(_exactly(channel, _LENGTH_SIZE)))


def receive_with_directory(channel: socket.socket) -> tuple[bytes, int]:
    """The next message and the descriptor that came with it. Raises EOFError when the other side is gone, OSError."""
    head, descriptors, _, _ = socket.recv_fds(channel, _LENGTH_SIZE, 1)
    if not descriptors:
        raise EOFError
    head += _exactly(channel, _LENGTH_SIZE - len(head))
    return _exactly(channel, int.from_bytes(head)), descriptors[0]


def _exactly(channel: socket.socket, size: int) -> bytes:
    """So many bytes. Raises EOFError when the other side is gone."""
    data = channel.recv(size, socket.MSG_WAITALL) if size else b""
    if len(data) < size:
        raise EOFError
    return data
