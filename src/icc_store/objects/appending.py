"""Blocks into the store: with a row for every object, and only while what they are written against is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from icc_store.ids import KEY_SIZE
from icc_store.objects.bases import Bases
from icc_store.objects.block import Frame
from icc_store.objects.index import pack_row
from icc_store.store.protocol import WriteTransaction


class CollectedMeanwhile(Exception):
    """gc ran while a snapshot was taken; what the snapshot refers to must be looked at again. Never seen by users."""


class BaseCollected(CollectedMeanwhile):
    """gc took what waiting deltas were written against. All that waited is dropped: it must be added again."""


def append_content(
    txn: WriteTransaction,
    repository: bytes,
    blocks: Sequence[tuple[bytes, Sequence[Frame]]],
    places: Mapping[bytes, int] = MappingProxyType({}),
) -> None:
    """Append blocks and the index rows of all their objects. `places`: in which blocks their bases were read.

    Raises BaseCollected when something they were written against is not indexed any more, or stands deeper now.
    """
    bases = Bases(txn, repository)
    rows = []
    for data, frames in blocks:
        number = txn.append_block(data)
        position = 0
        for frame in frames:
            for identity in frame.ids:
                rows.append(pack_row(identity[:KEY_SIZE], number, position))
                position += 1
            if not all(bases.is_there(key, frame.depth, place=places.get(key)) for key in frame.bases):
                raise BaseCollected
    rows.sort()
    txn.insert_rows(rows)
