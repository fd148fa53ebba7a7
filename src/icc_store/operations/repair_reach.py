"""Which objects the snapshots of a damaged repository still reach, and which of them are only written against.

Like gc's marks, but what cannot be read is passed over: whoever repairs must keep what is left. Of several copies of an
object one is chosen that can be read: here are rows also for those that gc had let go, with what they need.
"""

from __future__ import annotations

from collections.abc import Iterable

from icc_store.errors import DamageError
from icc_store.ids import Kind, ObjectId
from icc_store.model.closure import Reference, references
from icc_store.objects.chains import Chains
from icc_store.objects.reader import ObjectReader
from icc_store.operations.gc_mark import needed_bases


class Reach:
    """One bit per object, by block."""

    def __init__(self, objects: ObjectReader) -> None:
        self._objects = objects
        self._chains = Chains(objects)
        self.live: dict[int, int] = {}
        """What snapshots refer to."""
        self.bases: dict[int, int] = {}
        """What that is written against. One object may stand in both."""

    def follow(self, roots: Iterable[ObjectId], others: Iterable[ObjectId] = ()) -> None:
        """Note all that these trees reach, and other objects by themselves."""
        stack: list[Reference] = [(Kind.TREE, root) for root in roots]
        stack += [(Kind.XATTRS, other) for other in others]
        while stack:
            kind, identity = stack.pop()
            location = self._chains.place(identity)
            if location is None or self.live.get(location.block, 0) >> location.position & 1:
                continue
            self.live[location.block] = self.live.get(location.block, 0) | 1 << location.position
            if kind in (Kind.TREE, Kind.LIST):
                try:
                    stack.extend(references(self._objects, kind, identity))
                except DamageError:
                    continue  # verify says so afterwards, with the files
        self._follow_bases()

    def _follow_bases(self) -> None:
        pending = list(self.live.keys() | self.bases.keys())
        scanned: dict[int, int] = {}
        while pending:
            number = pending.pop()
            bits = self.live.get(number, 0) | self.bases.get(number, 0)
            if scanned.get(number) == bits:
                continue
            scanned[number] = bits
            block = self._objects.block(number)
            if block is None:
                continue
            for key, depth in needed_bases(block, bits):
                location = self._chains.base_place(key, depth)
                if location is not None and not self.bases.get(location.block, 0) >> location.position & 1:
                    self.bases[location.block] = self.bases.get(location.block, 0) | 1 << location.position
                    pending.append(location.block)
