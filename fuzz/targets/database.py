"""The bytes of a database as `salvage` reads them, without liblmdb: pages that lead anywhere, blocks at any offset."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path
from typing import Any

from fuzz.forging import forge, whole
from fuzz.structure import Form
from icc_store.codec.serial import pack, unpack
from icc_store.objects.block_scan import owners, scan_blocks
from icc_store.opening import create_repository, open_repository
from icc_store.store.lmdb_pages import guide, numbered_values
from icc_store.store.protocol import Table

ALLOWED: tuple[type[BaseException], ...] = ()

_PAGE_SIZE = 4096
_HEAD = struct.Struct("<QHHHH")
_U64 = (1 << 64) - 1


def fuzz_one(data: bytes) -> None:
    """Whatever stands in the pages, what they lead to lies within the file, and no block is found twice."""
    found = guide(data)
    if any(not 0 <= offset < len(data) for offset in found.numbers):
        raise AssertionError("a block begins outside of the file")
    for _, offset, size in numbered_values(data):
        if not 0 <= offset <= offset + size <= len(data):
            raise AssertionError("a value lies outside of the file")
    for repository in owners(data):
        end = 0
        for offset, stored, _ in scan_blocks(data, repository):
            if offset < end or data[offset : offset + len(stored)] != stored:
                raise AssertionError("blocks overlap, or are not what is there")
            end = offset + len(stored)


def _pages(data: bytes) -> list[Any]:
    """Number, flags, ends of the free room, and the rest of each page."""
    if not data or len(data) % _PAGE_SIZE:
        raise ValueError("not whole pages")
    starts = range(0, len(data), _PAGE_SIZE)
    return [[*_HEAD.unpack_from(data, at), data[at + _HEAD.size : at + _PAGE_SIZE]] for at in starts]


def _joined(pages: list[Any]) -> bytes:
    parts = []
    for number, *ends, rest in pages:
        parts.append(_HEAD.pack(number & _U64, *(end & 0xFFFF for end in ends)))
        parts.append(rest.ljust(_PAGE_SIZE, b"\0")[: _PAGE_SIZE - _HEAD.size])
    return b"".join(parts)


def _seed() -> bytes:
    """The file of a repository with a block of several pages, many small rows, and snapshots."""
    made = forge(unpack(pack(whole())), Path("nowhere"))
    with tempfile.TemporaryDirectory() as place:
        create_repository(Path(place) / "r")
        with open_repository(Path(place) / "r") as repository:
            transaction = made.objects.transaction
            with repository.store.write() as txn:
                for _, block in transaction.blocks():
                    txn.append_block(block)
                txn.append_block(bytes(range(256)) * 40)
                txn.insert_rows(sorted(transaction.rows()))
                for table in (Table.SNAPSHOTS, Table.ANNOTATIONS):
                    for key, value in transaction.items(table):
                        txn.put(table, key, value)
        return (Path(place) / "r" / "data.mdb").read_bytes()


FORMS = (Form(_pages, _joined),)
SEEDS = [_seed()]
