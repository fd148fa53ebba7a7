"""A group of blocks and the sums of their cells, in a file of its own (docs/format.md, *Parity*).

    list      which blocks the group is of, and checks of all cells and sums; MessagePack, cut into pages
    sums      one page each
    list sums the same erasure code over the pages of the list: any half of all its pages is enough

Each page of the list and of its sums says what file it is of and what it is, so it is found wherever it stands. Nothing
is believed that its check does not prove, and the last word has the checksum of a block.
"""

from __future__ import annotations

import os
import struct
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from icc_store.codec.erasure import SPARE_SUMS, Sums
from icc_store.codec.hashing import CHECKSUM_SIZE, checksum
from icc_store.codec.serial import pack, unpack
from icc_store.limits import (
    MAX_LOST_LIST_PAGES,
    MAX_PARITY_LIST_PAGES,
    MAX_PERMILLE,
    MAX_SCANNED_BLOCK,
    MAX_WORD_SUMS,
)
from icc_store.objects.parity_cells import CELL_SIZE, Place, cell_count, places
from icc_store.store.head import fsync_path

CHECK_SIZE = 8
PERMILLE = 1000


WORDS_AT_ONCE = 8
"""So many words are in memory at a time, 64 MiB; for the others all cells are gone through again."""

_SUFFIX = ".parity"
_NEW = ".new"
_MAGIC = b"ICCPAR1\n"
_PAGE = struct.Struct("<8s16s16sIIIII")
_PAYLOAD = CELL_SIZE - _PAGE.size - CHECKSUM_SIZE
_UID_SIZE = 16
_LIST_SPARE = 16

_NUMBERS, _UIDS, _SIZES, _CELLS, _SUMS, _SHARE = range(6)


@dataclass(frozen=True)
class Listed:
    """A block of a group."""

    number: int
    uid: bytes
    size: int


@dataclass(frozen=True)
class Shape:
    """How a group is divided: cell `c` belongs to word `c % words`, and each word has `sums` sums."""

    words: int
    sums: int

    @classmethod
    def of(cls, cell_count: int, permille: int) -> Shape:
        """For so many cells, of which this share shall come back."""
        wanted = -(-cell_count * permille // PERMILLE)
        words = max(1, -(-wanted // (MAX_WORD_SUMS - SPARE_SUMS)))
        longest = -(-cell_count // words)
        return cls(words, -(-longest * permille // PERMILLE) + SPARE_SUMS)


@dataclass(frozen=True)
class Group:
    """What the list of a group says, and where its file is."""

    path: Path
    seed: bytes
    permille: int
    blocks: tuple[Listed, ...]
    cell_checks: bytes
    sum_checks: bytes
    shape: Shape
    first_sum: int
    """The page of the file that has the first sum."""
    lost_pages: int
    """Pages of the list and of its sums that are damaged."""

    @property
    def places(self) -> list[Place]:
        """Where its blocks are."""
        return places(block.size for block in self.blocks)

    def is_cell(self, number: int, data: bytes) -> bool:
        """Whether this is the cell of that number."""
        return check(data) == self.cell_checks[number * CHECK_SIZE : (number + 1) * CHECK_SIZE]

    def word(self, word: int) -> Sums:
        """The sums of a word, as far as the file has them whole."""
        stored: list[bytes | None] = []
        first = word * self.shape.sums
        with self.path.open("rb") as file:
            file.seek((self.first_sum + first) * CELL_SIZE)
            for number in range(first, first + self.shape.sums):
                data = file.read(CELL_SIZE)
                stored.append(data if self._is_sum(number, data) else None)
        return Sums(_word_seed(self.seed, word), stored, CELL_SIZE)

    def lost_sums(self) -> int:
        """How many of its sums are damaged."""
        with self.path.open("rb") as file:
            file.seek(self.first_sum * CELL_SIZE)
            count = len(self.sum_checks) // CHECK_SIZE
            return sum(not self._is_sum(number, file.read(CELL_SIZE)) for number in range(count))

    def _is_sum(self, number: int, data: bytes) -> bool:
        """Whether this is the sum of that number. Behind the end of the file is none, whatever its check."""
        expected = self.sum_checks[number * CHECK_SIZE : (number + 1) * CHECK_SIZE]
        return len(data) == CELL_SIZE and check(data) == expected


def check(data: bytes) -> bytes:
    """8 bytes that tell a cell from a damaged one."""
    return checksum(data)[:CHECK_SIZE]


def group_file(directory: Path, first: int) -> Path:
    """The file of the group that begins with that block."""
    return directory / f"{first:010}{_SUFFIX}"


def group_files(directory: Path) -> list[Path]:
    """The files of all groups, in the order of their blocks."""
    return _named(directory, _SUFFIX)


def begun_groups(directory: Path) -> list[Path]:
    """The files of groups that have no name of their own yet, in the order of their blocks."""
    return _named(directory, _SUFFIX + _NEW)


def _named(directory: Path, suffix: str) -> list[Path]:
    """The files whose names end so. Path.glob takes a directory that may not be read for an empty one."""
    if not directory.exists():
        return []
    return sorted(directory / name for name in os.listdir(directory) if name.endswith(suffix))


def name_groups(directory: Path) -> None:
    """Give them their names, and wait until these are on the disk.

    From the last to the first, so that at no time a block is between the groups that are named.
    """
    for file in reversed(begun_groups(directory)):
        file.rename(file.with_name(file.name.removesuffix(_NEW)))
        fsync_path(directory)


def write_group(
    path: Path, repository: bytes, blocks: Sequence[Listed], cells: Callable[[], Iterable[bytes]], permille: int
) -> None:
    """Write the file of a group, all but its name: `name_groups` gives it that.

    `cells` gives those of the blocks, in order, each time that it is called.
    """
    seed = uuid.uuid4().bytes
    count = cell_count(places(block.size for block in blocks))
    shape = Shape.of(count, permille)
    sums = shape.words * shape.sums
    cell_checks, sum_checks = bytearray(), bytearray()
    in_front = -(-len(_pack_list(blocks, bytes(count * CHECK_SIZE), bytes(sums * CHECK_SIZE), permille)) // _PAYLOAD)
    descriptor = os.open(f"{path}{_NEW}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.seek(in_front * CELL_SIZE)
        for first in range(0, shape.words, WORDS_AT_ONCE):
            at_once = range(first, min(first + WORDS_AT_ONCE, shape.words))
            words = {word: Sums(_word_seed(seed, word), [bytes(CELL_SIZE)] * shape.sums, CELL_SIZE) for word in at_once}
            for number, cell in enumerate(cells()):
                if number % shape.words in words:
                    words[number % shape.words].add(number, cell)
                if first == 0:
                    cell_checks += check(cell)
            for word in at_once:
                for value in words.pop(word).values():
                    sum_checks += check(value)
                    file.write(value)
        pages = _list_pages(_pack_list(blocks, bytes(cell_checks), bytes(sum_checks), permille), repository, seed, sums)
        file.writelines(pages[in_front:])
        file.seek(0)
        file.writelines(pages[:in_front])
        file.flush()
        os.fsync(file.fileno())


def read_group(path: Path, repository: bytes) -> Group | None:
    """The group in a file; None when too much of its list is damaged."""
    found: dict[bytes, dict[int, bytes]] = {}
    shapes: dict[bytes, tuple[int, int, int]] = {}
    with path.open("rb") as file:
        while page := file.read(CELL_SIZE):
            parsed = _parse_page(page, repository)
            if parsed is not None:
                seed, in_front, number, size, sums, payload = parsed
                found.setdefault(seed, {})[number] = payload
                shapes[seed] = (in_front, size, sums)
    for seed, pages in found.items():
        in_front, size, sums = shapes[seed]
        listing = _join_list(seed, in_front, pages)
        group = None if listing is None else _unpack_list(path, seed, listing[:size], sums, in_front)
        if group is not None:
            return replace(group, lost_pages=in_front + _list_sums(in_front) - len(pages))
    return None


def _pack_list(blocks: Sequence[Listed], cell_checks: bytes, sum_checks: bytes, permille: int) -> bytes:
    return pack(
        [
            [block.number for block in blocks],
            b"".join(block.uid for block in blocks),
            [block.size for block in blocks],
            cell_checks,
            sum_checks,
            permille,
        ]
    )


def _unpack_list(path: Path, seed: bytes, data: bytes, sums: int, in_front: int) -> Group | None:
    try:
        fields = unpack(data)
        numbers, uids, sizes, permille = fields[_NUMBERS], fields[_UIDS], fields[_SIZES], fields[_SHARE]
        if type(permille) is not int or not 0 < permille <= MAX_PERMILLE or not all(map(_is_count, (*numbers, *sizes))):
            return None
        if max(sizes, default=0) > MAX_SCANNED_BLOCK:
            return None
        blocks = tuple(
            Listed(number, bytes(uids[at * _UID_SIZE : (at + 1) * _UID_SIZE]), size)
            for at, (number, size) in enumerate(zip(numbers, sizes, strict=True))
        )
        count = cell_count(places(sizes))
        shape = Shape.of(count, permille)
        fits = len(fields[_CELLS]) == count * CHECK_SIZE and shape.words * shape.sums == sums
        if not fits or len(fields[_SUMS]) != sums * CHECK_SIZE or len(uids) != len(blocks) * _UID_SIZE:
            return None
        return Group(path, seed, permille, blocks, fields[_CELLS], fields[_SUMS], shape, in_front, 0)
    except (ValueError, TypeError, LookupError, OverflowError):
        return None  # written by something else: its checksums are right, and it makes no sense


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 1 << 32


def _list_pages(listing: bytes, repository: bytes, seed: bytes, sums: int) -> list[bytes]:
    """The pages of the list, and behind them their sums."""
    pieces = [listing[at : at + _PAYLOAD].ljust(_PAYLOAD, b"\0") for at in range(0, len(listing), _PAYLOAD)]
    code = Sums(seed, [bytes(_PAYLOAD)] * _list_sums(len(pieces)), _PAYLOAD)
    for number, piece in enumerate(pieces):
        code.add(number, piece)
    pages = []
    for number, payload in enumerate((*pieces, *code.values())):
        head = _PAGE.pack(_MAGIC, repository, seed, len(pieces), number, len(listing), sums, 0)
        pages.append(head + checksum(head, payload) + payload)
    return pages


def _list_sums(pages: int) -> int:
    return pages + _LIST_SPARE


def _parse_page(page: bytes, repository: bytes) -> tuple[bytes, int, int, int, int, bytes] | None:
    if not page.startswith(_MAGIC) or len(page) != CELL_SIZE:
        return None
    head, payload = page[: _PAGE.size], page[_PAGE.size + CHECKSUM_SIZE :]
    if checksum(head, payload) != page[_PAGE.size : _PAGE.size + CHECKSUM_SIZE]:
        return None
    _, owner, seed, in_front, number, size, sums, _ = _PAGE.unpack(head)
    if owner != repository or in_front > MAX_PARITY_LIST_PAGES or not 0 < size <= in_front * _PAYLOAD:
        return None
    if number >= in_front + _list_sums(in_front):
        return None
    return seed, in_front, number, size, sums, payload


def _join_list(seed: bytes, in_front: int, pages: dict[int, bytes]) -> bytes | None:
    lost = [number for number in range(in_front) if number not in pages]
    if len(pages) < in_front or len(lost) > MAX_LOST_LIST_PAGES:
        return None
    if lost:
        code = Sums(seed, [pages.get(in_front + one) for one in range(_list_sums(in_front))], _PAYLOAD)
        for number in range(in_front):
            if number in pages:
                code.add(number, pages[number])
        solved = code.solve(lost)
        if solved is None:
            return None
        pages = pages | solved
    return b"".join(pages[number] for number in range(in_front))


def _word_seed(seed: bytes, word: int) -> bytes:
    return seed + word.to_bytes(4, "little")
