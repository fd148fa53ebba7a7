"""Numbers that a repository keeps in rows of META: 8 bytes each, big-endian."""

from __future__ import annotations

from icc_store.errors import DamageError
from icc_store.store.protocol import ReadTransaction, Table, WriteTransaction

_SIZE = 8
_END = 1 << 8 * _SIZE


def number_at(txn: ReadTransaction, key: bytes, otherwise: int = 0) -> int:
    """The number in a row; another one where there is none, or where it is no number."""
    stored = txn.get(Table.META, key)
    return otherwise if stored is None or len(stored) != _SIZE else int.from_bytes(stored)


def sound_number_at(txn: ReadTransaction, key: bytes, what: str) -> int:
    """The number in a row, 0 where there is none. Raises DamageError, which names it, where it is no number."""
    stored = txn.get(Table.META, key)
    if stored is not None and len(stored) != _SIZE:
        raise DamageError(f"{what} is damaged: it has {len(stored)} bytes")
    return int.from_bytes(stored or b"")


def put_number(txn: WriteTransaction, key: bytes, number: int) -> int:
    """Write a number of 64 bits; beyond them it begins again at 0. Returns what was written."""
    txn.put(Table.META, key, (number % _END).to_bytes(_SIZE))
    return number % _END


def raise_number(txn: WriteTransaction, key: bytes, number: int) -> None:
    """Write a number where the row has none that is as high."""
    put_number(txn, key, max(number, number_at(txn, key)))
