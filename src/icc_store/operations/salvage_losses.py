"""Which files of a snapshot cannot be restored: every one of them, by its path."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.content import content_bytes
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.walk import Found, root_of, walk


@dataclass(frozen=True)
class LostFile:
    """A stored path that does not come back, or, where it is a directory, not all that is in it."""

    path: bytes
    directory: bool


@dataclass(frozen=True)
class Incomplete:
    """A snapshot that came back without these files."""

    snapshot: Snapshot
    files: tuple[LostFile, ...]


class Losses:
    """Reads snapshots to their ends. What was read once is not read again."""

    def __init__(self, repository: Repository) -> None:
        self._objects = repository.objects
        self._whole: dict[ObjectId, bool] = {}

    def of(self, snapshot: Snapshot) -> Incomplete:
        """What of this snapshot is lost."""
        return Incomplete(snapshot, tuple(self._lost(snapshot)))

    def _lost(self, snapshot: Snapshot) -> Iterator[LostFile]:
        unread: list[bytes] = []

        def failed(directory: Found, _error: DamageError) -> None:
            unread.append(directory.path)

        try:
            for found in walk(self._objects, root_of(snapshot.record), failed=failed):
                if not self._is_whole(found):
                    yield LostFile(found.path, found.entry.subtree is not None)
        except DamageError:
            unread.append(b"")
        yield from (LostFile(path, True) for path in unread)

    def _is_whole(self, found: Found) -> bool:
        entry = found.entry
        whole = entry.xattrs_id is None or self._readable(Kind.XATTRS, entry.xattrs_id)
        for kind, identity in ((Kind.CHUNK, entry.chunk), (Kind.LIST, entry.content_list)):
            whole &= identity is None or self._readable(kind, identity)
        return whole

    def _readable(self, kind: Kind, identity: ObjectId) -> bool:
        if identity not in self._whole:
            try:
                if kind is Kind.XATTRS:
                    self._objects.get(identity, kind)
                else:
                    chunk, listed = (identity, None) if kind is Kind.CHUNK else (None, identity)
                    for _ in content_bytes(self._objects, chunk, listed):
                        pass
                self._whole[identity] = True
            except DamageError:
                self._whole[identity] = False
        return self._whole[identity]
