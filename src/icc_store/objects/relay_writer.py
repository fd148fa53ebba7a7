"""Objects for another process to store: chunks are gathered, compressed and checked here, and written there.

Everything else is few and small beside that, and is handed over as it is: what it is compressed behind is only known
where it gets its place (objects/encoder.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from icc_store.codec.hashing import object_id
from icc_store.ids import Kind, ObjectId
from icc_store.limits import RELAYED_BYTES
from icc_store.objects.block import Frame
from icc_store.objects.encoder import Encoder
from icc_store.objects.reader import ObjectReader
from icc_store.objects.writer import ObjectWriter
from icc_store.store.protocol import Store, WriteTransaction

HandOver = Callable[[Sequence[Frame], Mapping[bytes, int]], None]
"""Takes frames of chunks, and in which blocks their bases were read."""


class PlainObject(NamedTuple):
    """An object that is nothing but its bytes yet."""

    kind: Kind
    data: bytes
    bases: tuple[ObjectId, ...]


class RelayWriter(ObjectWriter):
    """Takes objects as a writer does, and stores none of them."""

    def __init__(
        self, store: Store, reader: ObjectReader, repository: bytes, *, encoder: Encoder, hand_over: HandOver
    ) -> None:
        super().__init__(store, reader, repository, encoder=encoder, threads=0)
        self._hand_over = hand_over
        self.batch_bytes = RELAYED_BYTES
        self.plain: list[PlainObject] = []
        """Objects that are no chunks, in the order they came."""
        self.is_sound = True
        """Whether all went well: nothing had to be got round in making the frames."""

    def add(
        self, kind: Kind, data: bytes, *, identity: ObjectId | None = None, bases: Sequence[ObjectId] = ()
    ) -> ObjectId:
        if kind is Kind.CHUNK:
            return super().add(kind, data, identity=identity, bases=bases)
        self.plain.append(PlainObject(kind, data, tuple(bases)))
        return object_id(kind, data) if identity is None else identity

    def _commit_batch(self) -> None:
        self.commit()

    def commit(self, finish: Callable[[WriteTransaction], None] | None = None) -> None:
        """Hand over all that waits."""
        self._seal_run()
        self._seal_queue(Kind.CHUNK)
        if self._encoder.warnings or self._encoder.spoiled:
            self.is_sound = False
        elif self._frames:
            self._hand_over([frame for frame in self._frames if isinstance(frame, Frame)], dict(self._places))
        self._drop_waiting()
        self._reader.renew()  # an old view keeps pages that the other process frees from being used again
