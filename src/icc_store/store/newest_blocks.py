"""Second copies of the newest blocks, and which ones were removed, in a file beside the database.

Parity over all blocks is not made anew at each commit. What it does not cover yet is kept here a second time, appended
after each commit under the same lock; so is the number of each block that goes, since parity knows of it. The state of
the file stands in its first bytes and is written in place, like `head`, once the records before its end are on the
disk: so all that it names was there, and what stands beyond its end is nothing. A crash between a commit and its
records is seen by the numbers in the state, which are then lower than those of the database.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from icc_store.codec.hashing import CHECKSUM_SIZE, checksum
from icc_store.errors import OF_THIS_PROCESS
from icc_store.limits import MAX_SEARCHED_TIMES
from icc_store.quick_dataclass import dataclass
from icc_store.store.head import fsync_path
from icc_store.store.locks import FileLock
from icc_store.store.plain_files import mapped

LOCK_NAME = "lock"

_MAGIC = b"ICCNEW1\n"
_STATE = struct.Struct("<8s16sQQQQQQQQ")
_START = 128
_MARK = b"ICCN"
_RECORD = struct.Struct("<4sIQ")
_HEAD_SIZE = _RECORD.size + CHECKSUM_SIZE
_PIECE, _PAGE_HEADER = 4096, 16
_CHECK_SIZE = 8


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
    """The bytes of the cells that blocks were in that were removed since parity was made, for each by itself."""
    end: int = _START
    gone: int = 0
    """How many blocks had ever been removed from the database when the last removal was noted."""
    distrusted: int = 0
    """1 when something of the parity was found damaged: all of it must be made anew."""


@dataclass(frozen=True)
class NewestContent:
    """What the file holds that is whole."""

    copies: Mapping[int, bytes]
    """Blocks by their numbers, read when they are asked for."""
    damaged_copies: Mapping[int, bytes]
    """Those that are not whole."""
    checks: Mapping[int, bytes]
    """The checks of their pieces, which are: `pieced_together` makes a whole block of several damaged ones."""
    removed: frozenset[int]
    damaged: bool
    """Whether something in it is not whole."""


@dataclass(frozen=True)
class Changes:
    """What a commit did to the blocks: those it appended, and the sizes of those it removed, by their numbers."""

    appended: list[Numbered]
    removed: dict[int, int]
    gone: int
    """How many blocks have ever been removed, these included."""


class NewestBlocks:
    """The file at a path. Whoever changes it holds the repository's write lock."""

    def __init__(self, path: Path, repository: bytes) -> None:
        self.path = path
        self._repository = repository

    def state(self) -> NewestState | None:
        """What the file says of itself; None where it cannot be read or does not make sense."""
        try:
            with self.path.open("rb") as file:
                return self._parse_state(file.read(_START))
        except OSError:
            return None

    def _parse_state(self, data: bytes) -> NewestState | None:
        record = data[: _STATE.size]
        if len(record) != _STATE.size or checksum(record) != data[_STATE.size : _STATE.size + CHECKSUM_SIZE]:
            return None
        magic, owner, *numbers = _STATE.unpack(record)
        return NewestState(*numbers) if magic == _MAGIC and owner == self._repository else None

    def note(self, changes: Changes, between: Callable[[int, int], Iterable[Numbered]]) -> None:
        """Take over what a commit did.

        `between` reads blocks, from one number to before another, that an earlier commit could not note. Where second
        copies would take more than their room, none is added any more: parity must be made anew. It must be as well
        where an earlier removal was not noted; that shows in the state.
        """
        appended, removed = changes.appended, changes.removed
        state = self.state()
        if state is None or not (appended or removed):
            return
        records = [_record(number, b"") for number in removed]
        if appended:
            copies, last = self._fitting(state, appended, between)
            records += copies
            state = replace(state, last=last)
        if state.gone + len(removed) == changes.gone:
            state = replace(state, gone=changes.gone)
        going = sum(-(-size // _PIECE) * _PIECE for number, size in removed.items() if number <= state.covered)
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
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            end = state.end
            for record in records:
                end += _write_all(descriptor, record, end)
            os.fdatasync(descriptor)  # before the state that names them
            self._write_state(descriptor, replace(state, end=end))
        finally:
            os.close(descriptor)

    def distrust(self) -> None:
        """Note that something of the parity is damaged, for the next run that writes."""
        state = self.state()
        if state is not None:
            self._append(replace(state, distrusted=1), [])

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
            self._write_state(descriptor, replace(state, end=end))
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
        """Everything in the file that its checksums prove. Records after a damaged one are found by their mark.

        Raises OSError where this process may not, or cannot, look at it: then nobody knows what is in it.
        """
        try:
            with mapped(self.path) as data:
                return self._content(data)
        except (OSError, ValueError) as error:  # an empty file cannot be mapped
            if isinstance(error, OSError) and error.errno in OF_THIS_PROCESS:
                raise
            return NewestContent({}, {}, {}, frozenset(), damaged=True)

    def _content(self, data: mmap.mmap) -> NewestContent:
        state = self._parse_state(data[:_START])
        end = len(data) if state is None else min(state.end, len(data))
        copies: dict[int, _Place] = {}
        broken: dict[int, _Place] = {}
        checks: dict[int, bytes] = {}
        removed: set[int] = set()
        read = 0
        for number, place, stored in _records(data, end):
            read += _HEAD_SIZE + len(stored) + place.size
            if not place.size:
                removed.add(number)
            elif stored == _checks(data[place.offset : place.offset + place.size]):
                copies[number] = place
            else:
                broken[number], checks[number] = place, stored
        damaged = state is None or state.end != _START + read or bool(broken)
        return NewestContent(
            _Copies(self.path, copies), _Copies(self.path, broken), checks, frozenset(removed), damaged
        )

    def _write_state(self, descriptor: int, state: NewestState) -> None:
        numbers = (state.permille, state.covered, state.last, state.room, state.removed, state.end)
        record = _STATE.pack(_MAGIC, self._repository, *numbers, state.gone, state.distrusted)
        _write_all(descriptor, record + checksum(record), 0)
        os.fdatasync(descriptor)


@dataclass(frozen=True)
class _Place:
    offset: int
    size: int


class _Copies(Mapping[int, bytes]):
    """Blocks in a file, by their numbers: there may be more of them than memory has room for."""

    def __init__(self, path: Path, places: Mapping[int, _Place]) -> None:
        self._path = path
        self._places = places

    def __getitem__(self, number: int) -> bytes:
        place = self._places[number]
        with self._path.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.size)

    def __iter__(self) -> Iterator[int]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _record(number: int, data: bytes) -> bytes:
    head, checks = _RECORD.pack(_MARK, len(data), number), _checks(data)
    return head + checksum(head, checks) + checks + data


def _pieces(data: bytes) -> list[bytes]:
    """A block cut where pages of the database end, so that a page that rots costs one piece."""
    starts = range(-_PAGE_HEADER, len(data), _PIECE) if data else ()
    return [data[max(start, 0) : start + _PIECE] for start in starts]


def _checks(data: bytes) -> bytes:
    return b"".join(checksum(piece)[:_CHECK_SIZE] for piece in _pieces(data))


def pieced_together(copies: Iterable[bytes], checks: bytes) -> bytes | None:
    """A block of the pieces that are right in any of these copies, all as long as it; None where one is in none."""
    found: list[bytes] = []
    for number, pieces in enumerate(zip(*map(_pieces, copies), strict=True)):
        wanted = checks[number * _CHECK_SIZE : (number + 1) * _CHECK_SIZE]
        right = next((piece for piece in pieces if checksum(piece)[:_CHECK_SIZE] == wanted), None)
        if right is None:
            return None
        found.append(right)
    return b"".join(found)


def _records(data: mmap.mmap, end: int) -> Iterator[tuple[int, _Place, bytes]]:
    """Numbers, places and checks of the records before that offset whose heads are right."""
    left = MAX_SEARCHED_TIMES * end
    last = max(end - _HEAD_SIZE + len(_MARK), 0)  # as in objects/block_scan.py: never the end of the file
    at = data.find(_MARK, _START, last)
    while at >= 0 and left >= 0:
        body = at + _HEAD_SIZE
        if body <= end:
            head = data[at : at + _RECORD.size]
            _, size, number = _RECORD.unpack(head)
            block = body + (-(-(size + _PAGE_HEADER) // _PIECE) * _CHECK_SIZE if size else 0)
            if block + size <= end:
                left -= block - body
                checks = data[body:block]
                if checksum(head, checks) == data[at + _RECORD.size : body]:
                    yield number, _Place(block, size), checks
                    at = data.find(_MARK, block + size, last)
                    continue
        at = data.find(_MARK, at + 1, last)


def _write_all(descriptor: int, data: bytes, offset: int) -> int:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)
    return written
