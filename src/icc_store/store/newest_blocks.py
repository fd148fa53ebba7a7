"""Second copies of the newest blocks, and which ones were removed, in a file beside the database.

Parity over all blocks is not made anew at each commit. What it does not cover yet is kept here a second time, appended
after each commit under the same lock; so is the number of each block that goes, since parity knows of it. The state of
the file stands in its first bytes and is written in place, like `head`. Each record has a checksum of its own, so a
torn one is noticed, and found records do not depend on what stands before them.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from icc_store.codec.hashing import CHECKSUM_SIZE, checksum
from icc_store.store.head import fsync_path
from icc_store.store.locks import FileLock

LOCK_NAME = "lock"

_MAGIC = b"ICCNEW1\n"
_STATE = struct.Struct("<8s16sQQQQQQ")
_START = 128
_MARK = b"ICCN"
_RECORD = struct.Struct("<4sIQ")
_HEAD_SIZE = _RECORD.size + CHECKSUM_SIZE

Numbered = tuple[int, bytes]


@dataclass(frozen=True)
class NewestState:
    """How far parity and second copies go. Sizes are bytes."""

    permille: int
    """The share of damage that parity is made for, in thousandths."""
    covered: int
    """Parity covers the blocks up to this one."""
    last: int
    """Second copies go up to this block."""
    room: int
    """What second copies may take before parity must be made anew."""
    removed: int = 0
    """The size of the blocks that were removed since parity was made."""
    end: int = _START


@dataclass(frozen=True)
class NewestContent:
    """What the file holds that is whole."""

    copies: dict[int, bytes]
    removed: frozenset[int]
    damaged: bool
    """Whether something in it is not whole."""


class NewestBlocks:
    """The file at a path. Whoever changes it holds the repository's write lock."""

    def __init__(self, path: Path, repository: bytes) -> None:
        self.path = path
        self._repository = repository

    def state(self) -> NewestState | None:
        """What the file says of itself; None where it cannot be read or does not make sense."""
        try:
            with self.path.open("rb") as file:
                data = file.read(_STATE.size + CHECKSUM_SIZE)
        except OSError:
            return None
        record = data[: _STATE.size]
        if len(record) != _STATE.size or checksum(record) != data[_STATE.size :]:
            return None
        magic, owner, *numbers = _STATE.unpack(record)
        return NewestState(*numbers) if magic == _MAGIC and owner == self._repository else None

    def note(
        self,
        appended: list[Numbered],
        removed: dict[int, int],
        between: Callable[[int, int], Iterable[Numbered]],
    ) -> None:
        """Take over what a commit appended, and what it removed (numbers and sizes).

        `between` reads blocks, from one number to before another, that an earlier commit could not note. Where second
        copies would take more than their room, none is added any more: parity must be made anew.
        """
        state = self.state()
        if state is None or not (appended or removed):
            return
        records = [_record(number, b"") for number in removed]
        if appended:
            copies, last = self._fitting(state, appended, between)
            records += copies
            state = replace(state, last=last)
        going = sum(size for number, size in removed.items() if number <= state.covered)
        self._append(replace(state, removed=state.removed + going), records)

    def _fitting(
        self, state: NewestState, appended: list[Numbered], between: Callable[[int, int], Iterable[Numbered]]
    ) -> tuple[list[bytes], int]:
        """The records of what fits, and the last block then."""
        left = state.room - (state.end - _START)
        if sum(len(data) for _, data in appended) > left:
            return [], state.last
        records: list[bytes] = []
        for number, data in between(state.last + 1, appended[0][0]):
            left -= len(data)
            if left < 0:
                return [], state.last
            records.append(_record(number, data))
        return records + [_record(number, data) for number, data in appended], appended[-1][0]

    def _append(self, state: NewestState, records: list[bytes]) -> None:
        data = b"".join(records)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            _write_all(descriptor, data, state.end)
            _write_all(descriptor, self._state_bytes(replace(state, end=state.end + len(data))), 0)
            os.fdatasync(
                descriptor
            )  # of both: a state that is on the disk before its records is found out by checksums
        finally:
            os.close(descriptor)

    def begin(self, state: NewestState, copies: Iterable[Numbered], removed: Iterable[int]) -> None:
        """Make the file anew, with these second copies and removals, in the place of what was there."""
        temporary = self.path.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            end = _START
            for number in removed:
                end += _write_all(descriptor, _record(number, b""), end)
            for number, data in copies:
                end += _write_all(descriptor, _record(number, data), end)
            _write_all(descriptor, self._state_bytes(replace(state, end=end)), 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.rename(self.path)
        fsync_path(self.path.parent)

    @contextmanager
    def renewing(self) -> Iterator[None]:
        """In the body, be the only process that makes parity anew. Raises BusyError at once when another one does."""
        with FileLock(self.path.with_name(LOCK_NAME), timeout=0).held():
            yield

    def content(self) -> NewestContent:
        """Everything in the file that its checksums prove. Records after a damaged one are found by their mark."""
        try:
            data = self.path.read_bytes()
        except OSError:
            return NewestContent({}, frozenset(), damaged=True)
        state = self.state()
        copies: dict[int, bytes] = {}
        removed: set[int] = set()
        read = 0
        for number, record in _records(data):
            read += _HEAD_SIZE + len(record)
            if record:
                copies[number] = record
            else:
                removed.add(number)
        return NewestContent(copies, frozenset(removed), damaged=state is None or state.end != _START + read)

    def _state_bytes(self, state: NewestState) -> bytes:
        record = _STATE.pack(
            _MAGIC, self._repository, state.permille, state.covered, state.last, state.room, state.removed, state.end
        )
        return record + checksum(record)


def _record(number: int, data: bytes) -> bytes:
    head = _RECORD.pack(_MARK, len(data), number)
    return head + checksum(head, data) + data


def _records(data: bytes) -> Iterator[Numbered]:
    at = data.find(_MARK, _START)
    while at >= 0:
        head = data[at : at + _RECORD.size]
        if len(head) == _RECORD.size:
            _, size, number = _RECORD.unpack(head)
            body = data[at + _HEAD_SIZE : at + _HEAD_SIZE + size]
            if checksum(head, body) == data[at + _RECORD.size : at + _HEAD_SIZE]:
                yield number, body
                at = data.find(_MARK, at + _HEAD_SIZE + size)
                continue
        at = data.find(_MARK, at + 1)


def _write_all(descriptor: int, data: bytes, offset: int) -> int:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)
    return written
