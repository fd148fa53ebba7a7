"""The files of a snapshot in the order of their whole paths as bytes: that of SHA256SUMS and of `LC_ALL=C sort`.

A directory's entries come in order of names, and `a.json` comes before what is in `a`, though `a` is the shorter
name: so a directory waits until its name with a slash is due. Nothing is held but the way down to the file at hand.
"""

from __future__ import annotations

import heapq
import stat
from collections.abc import Callable, Iterator

from icc_store.errors import BlockDamaged
from icc_store.ids import ObjectId
from icc_store.limits import MAX_TREE_DEPTH
from icc_store.model.entry import MODE, NAME, SUBTREE, Wire
from icc_store.model.paths import display
from icc_store.model.tree import Objects, tree_parts
from icc_store.operations.file_facts import Fact

FactsOf = Callable[[ObjectId, list[Wire]], list[Fact] | None]
"""The facts of the regular files in a part, in order; None when they are not known."""

_Item = tuple[bytes, Wire, Fact | None]


def files_by_path(objects: Objects, root: ObjectId, facts_of: FactsOf | None = None) -> Iterator[_Item]:
    """Path, entry and facts of every regular file; None for facts that are not known.

    Raises ObjectMissing, BlockDamaged.
    """
    ways = [_directory(objects, root, b"", facts_of)]
    while ways:
        for item in ways[-1]:
            if SUBTREE not in item[1]:
                yield item
                continue
            if len(ways) >= MAX_TREE_DEPTH:
                raise BlockDamaged(f"{display(item[0])} is deeper than any directory can be")
            ways.append(_directory(objects, item[1][SUBTREE], item[0] + b"/", facts_of))
            break
        else:
            ways.pop()


def _directory(objects: Objects, tree: ObjectId, prefix: bytes, facts_of: FactsOf | None) -> Iterator[_Item]:
    """The files and directories right below, each directory where its first file would come."""
    waiting: list[tuple[bytes, Wire]] = []
    for identity, part in tree_parts(objects, tree):
        facts = facts_of(identity, part.entries) if facts_of is not None else None
        known = iter(facts) if facts is not None else None
        for wire in part.entries:
            name = wire[NAME]
            while waiting and waiting[0][0] < name:
                path, directory = heapq.heappop(waiting)
                yield prefix + path[:-1], directory, None
            if SUBTREE in wire:
                heapq.heappush(waiting, (name + b"/", wire))
            elif stat.S_ISREG(wire[MODE]):
                yield prefix + name, wire, next(known) if known is not None else None
    while waiting:
        path, directory = heapq.heappop(waiting)
        yield prefix + path[:-1], directory, None
