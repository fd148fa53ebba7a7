"""Damage to a repository, where a test wants it: in the bytes of the file, or in what the tables say."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

from icc_store.ids import KEY_SIZE, ObjectId
from icc_store.model.repository import Repository
from icc_store.store.protocol import Table, WriteTransaction

_PAGE = 4096
_PAGE_HEADER = struct.Struct("<QHHHH")
_OVERFLOW = 4


def flip(path: Path, offset: int, bit: int = 0) -> None:
    """Change one bit of a file."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        byte = os.pread(descriptor, 1, offset)[0]
        os.pwrite(descriptor, bytes((byte ^ 1 << bit,)), offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def block_numbers(repository: Repository) -> list[int]:
    """The numbers of all blocks."""
    repository.objects.renew()
    return [number for number, _ in repository.objects.transaction.blocks()]


def stored_block(repository: Repository, number: int) -> bytes:
    """The bytes of a block."""
    repository.objects.renew()
    data = repository.objects.transaction.block(number)
    assert data is not None
    return data


def damage_block(repository: Repository, number: int, share: float = 0.5) -> None:
    """Change a bit of a block: `share` 0 is its first byte, 1 its last."""
    data = stored_block(repository, number)
    repository.objects.forget()
    file = repository.path / "data.mdb"
    whole = file.read_bytes()
    place = whole.find(data)
    while place >= 0:  # LMDB leaves old versions of pages behind; one of these places is the living one
        flip(file, place + round(share * (len(data) - 1)))
        place = whole.find(data, place + 1)


def block_of(repository: Repository, identity: ObjectId | None) -> int:
    """The number of the block that holds an object."""
    assert identity is not None
    location = repository.objects.locate(identity)
    assert location is not None
    return location.block


def rows_of(repository: Repository, identity: ObjectId | None) -> list[bytes]:
    """The index rows of an object."""
    assert identity is not None
    repository.objects.renew()
    return [row for row in repository.objects.transaction.rows() if row.startswith(identity[:KEY_SIZE])]


def change(repository: Repository, what: Callable[[WriteTransaction], object]) -> None:
    """Do something to the tables in a commit, as if it had always been so."""
    with repository.store.write() as txn:
        what(txn)
    repository.objects.forget()


def lose(repository: Repository, identity: ObjectId | None) -> None:
    """Take an object out of the index, as if it were gone."""
    rows = rows_of(repository, identity)
    assert rows
    change(repository, lambda txn: txn.delete_rows(rows))


def copies_of(repository: Repository) -> list[tuple[bytes, bytes]]:
    """The table of second copies."""
    repository.objects.renew()
    return list(repository.objects.transaction.items(Table.COPIES))


def inner_pages(path: Path) -> list[int]:
    """Offsets of the pages that hold LMDB's own trees, its two first pages among them, not the contents of blocks."""
    data = path.read_bytes()
    found, page = [], 0
    while page < len(data) // _PAGE:
        number, _, flags, _, _ = _PAGE_HEADER.unpack_from(data, page * _PAGE)
        if page > 1 and flags & _OVERFLOW and number == page:
            page += struct.unpack_from("<I", data, page * _PAGE + 12)[0]
            continue
        found.append(page * _PAGE)
        page += 1
    return found


def keys(ids: Iterable[ObjectId]) -> set[bytes]:
    """What the index calls these objects."""
    return {identity[:KEY_SIZE] for identity in ids}
