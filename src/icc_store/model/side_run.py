"""A part of a run in another process, which reads the repository for itself and leaves all writing to the run."""

from __future__ import annotations

from icc_store.model.repository import Repository
from icc_store.objects.encoder import Encoder
from icc_store.objects.relay_writer import HandOver, PlainObject, RelayWriter
from icc_store.store.protocol import Table


class SideRun:
    """Asks and takes what a run does. Chunks are handed over as they are made, the rest when it is taken."""

    def __init__(self, repository: Repository, level: int, hand_over: HandOver) -> None:
        self.objects = repository.objects
        self.writer = RelayWriter(
            repository.store,
            self.objects,
            repository.header.repository,
            encoder=Encoder(level),
            hand_over=hand_over,
        )

    def seen(self, key: bytes) -> bytes | None:
        """The row a former run left under this key."""
        return self.objects.transaction.get(Table.SEEN, key)

    def remember(self, key: bytes, row: bytes) -> None:
        """What is left for the next run is for the run to say."""

    def drop(self, key: bytes) -> None:
        """Likewise."""

    def leave(self) -> list[PlainObject] | None:
        """Objects since the last time; their chunks were handed over. None when something went wrong with those."""
        self.writer.commit()
        left, self.writer.plain = self.writer.plain, []
        return left if self.writer.is_sound else None
