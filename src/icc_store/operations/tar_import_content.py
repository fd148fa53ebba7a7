"""The content of an archive's member as it goes into the repository: stretches of data and holes, hashed in passing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from icc_store.codec.chunking import Stream
from icc_store.codec.tar_member import Member
from icc_store.codec.tar_reader import TarReader
from icc_store.limits import MAX_HASHED_HOLE


class MemberContent:
    """The content of a member as `store_stream` wants it."""

    def __init__(
        self, member: Member, reader: TarReader, update: Callable[[bytes | memoryview], object] | None
    ) -> None:
        self._member = member
        self._reader = reader
        self._update = update
        self._left = 0
        self.read_bytes = 0

    def extents(self) -> Iterator[Stream | int]:
        at = 0
        for offset, length in self._member.extents if self._member.extents is not None else [(0, self._member.size)]:
            if offset > at:
                yield self._hole(offset - at)
            self._left = length
            yield self
            at = offset + length
        if at < self._member.size:
            yield self._hole(self._member.size - at)

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)[: self._left]
        count = self._reader.readinto(view)
        self._left -= count
        self.read_bytes += count
        if self._update is not None:
            self._update(view[:count])
        return count

    def _hole(self, length: int) -> int:
        if self._update is not None:
            _update_with_zeros(self._update, length)
        return length


def _update_with_zeros(update: Callable[[bytes], object], length: int) -> None:
    if length > MAX_HASHED_HOLE:
        raise ValueError("the digest of a file with so large a hole cannot be checked")
    zeros = bytes(1 << 20)
    while length > 0:
        update(zeros[:length])
        length -= len(zeros)
