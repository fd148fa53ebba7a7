"""The files of a snapshot in the order of their whole paths as bytes: that of SHA256SUMS and of `LC_ALL=C sort`.

A directory's entries come in order of names, and `a.json` comes before what is in `a`, though `a` is the shorter
name: so a directory waits until its name with a slash is due. Nothing is held but the way down to the files at hand.
Files come in batches, as many as follow each other in one directory, so that whoever looks at 100,000 of them can do
most of it without a loop of his own.
"""

from __future__ import annotations

import heapq
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from icc_store.ids import ObjectId
from icc_store.model.entry import MODE, NAME, SUBTREE, Wire
from icc_store.model.extent import PathBound, refuse_too_deep
from icc_store.model.paths import join
from icc_store.model.tree import Objects, tree_parts
from icc_store.operations.memory.file_facts import Fact

FactsOf = Callable[[ObjectId, list[Wire]], list[Fact] | None]
"""The facts of the regular files in a part, in order; None when they are not known."""

_MODE_TYPE = 0o170000
_FILE = stat.S_IFREG


@dataclass(slots=True)
class Batch:
    """Regular files of one directory that follow each other. `facts` are as many, or None when they are not known."""

    directory: bytes
    wires: list[Wire] = field(default_factory=list)
    facts: list[Fact] | None = None


_Item = Batch | tuple[bytes, ObjectId]
"""Files, or the stored path and the tree of a directory to be gone into now."""


def batches_by_path(objects: Objects, root: ObjectId, facts_of: FactsOf | None = None) -> Iterator[Batch]:
    """All regular files. Raises ObjectMissing, BlockDamaged, EndlessTree."""
    bound = PathBound(objects, root)
    ways = [_directory(objects, root, b"", facts_of)]
    while ways:
        for item in ways[-1]:
            if isinstance(item, Batch):
                bound.met(len(item.wires))
                yield item
                continue
            path, tree = item
            bound.met()
            refuse_too_deep(path)
            ways.append(_directory(objects, tree, path, facts_of))
            break
        else:
            ways.pop()


def files_by_path(
    objects: Objects, root: ObjectId, facts_of: FactsOf | None = None
) -> Iterator[tuple[bytes, Wire, Fact | None]]:
    """Path, entry and facts of every regular file; None for facts that are not known. Raises as above."""
    for batch in batches_by_path(objects, root, facts_of):
        for position, wire in enumerate(batch.wires):
            yield join(batch.directory, wire[NAME]), wire, batch.facts[position] if batch.facts is not None else None


def _directory(objects: Objects, tree: ObjectId, path: bytes, facts_of: FactsOf | None) -> Iterator[_Item]:
    """The files and directories right below, each directory where its first file would come."""
    waiting: list[tuple[bytes, ObjectId]] = []
    for identity, part in tree_parts(objects, tree):
        facts = facts_of(identity, part.entries) if facts_of is not None else None
        files = [wire for wire in part.entries if wire[MODE] & _MODE_TYPE == _FILE]
        taken = 0
        for wire in part.entries if len(files) < len(part.entries) or waiting else ():
            name = wire[NAME]
            while waiting and waiting[0][0] < name:
                upto = _files_before(files, waiting[0][0], taken)
                yield from _batch(path, files, facts, taken, upto)
                taken = upto
                yield _below(path, heapq.heappop(waiting))
            if SUBTREE in wire:
                heapq.heappush(waiting, (name + b"/", wire[SUBTREE]))
        yield from _batch(path, files, facts, taken, len(files))
    while waiting:
        yield _below(path, heapq.heappop(waiting))


def _below(path: bytes, due: tuple[bytes, ObjectId]) -> tuple[bytes, ObjectId]:
    return join(path, due[0][:-1]), due[1]


def _files_before(files: list[Wire], name: bytes, start: int) -> int:
    """How many of the files come before a name; the first `start` do."""
    while start < len(files) and files[start][NAME] < name:
        start += 1
    return start


def _batch(path: bytes, files: list[Wire], facts: list[Fact] | None, start: int, end: int) -> Iterator[Batch]:
    if start < end:
        yield Batch(path, files[start:end], facts[start:end] if facts is not None else None)
