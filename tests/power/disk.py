"""A disk that loses its power: what the page cache holds, what is safe, and what may be left afterwards.

What a sync has not confirmed may be lost, kept or half kept, each piece by itself, as POSIX allows and worse than any
journaling file system does:

- a write after which its file was not synced: per sector, any version since the last sync; the file may have grown
  all the same, to zeros;
- a name made, changed or removed after which its directory was not synced: the change is there or not, whatever became
  of those before and after it. A sync of a file says nothing about its name. A rename happens in both directories at
  once, and is safe when the directory that gains the name was synced.

One sector of 512 bytes is written whole or not at all; that much every disk promises.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from tests.power.recording import Event, Recording, What

Image = dict[str, bytes | None]
"""Every path below the root: the contents of a file, None for a directory."""


@dataclass(slots=True)
class Change:
    """A write; `data` None cuts the file off at `offset`. `safe`: it was written through, those before it were not."""

    offset: int
    data: bytes | None
    safe: bool = False

    @property
    def end(self) -> int:
        """Where the file ends at least, after it."""
        return self.offset + len(self.data or b"")


@dataclass(slots=True)
class File:
    """A file's safe contents, and what was done to it since."""

    safe: bytes = b""
    waiting: list[Change] = field(default_factory=list)

    def cached(self) -> bytes:
        """What a reader sees while the power is on."""
        return applied(self.safe, self.waiting)

    def length(self) -> int:
        """Where it ends while the power is on."""
        length = len(self.safe)
        for change in self.waiting:
            length = change.offset if change.data is None else max(length, change.end)
        return length


@dataclass(frozen=True, slots=True)
class Entry:
    """A name in a directory: what it leads to from now on."""

    directory: int
    name: str
    node: int | None


@dataclass(frozen=True, slots=True)
class Naming:
    """Entries that change at once, and the directory whose sync makes that safe."""

    entries: tuple[Entry, ...]
    synced_with: int


def applied(safe: bytes, changes: list[Change]) -> bytes:
    """The contents after these changes."""
    data = bytearray(safe)
    for change in changes:
        _apply(data, change.offset, change.data)
    return bytes(data)


def _apply(data: bytearray, offset: int, piece: bytes | None) -> None:
    if piece is None:
        del data[offset:]
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    if piece:
        data[offset : offset + len(piece)] = piece


class Kept:
    """The power fails, and all that was written had just come to the disk."""

    def names(self, waiting: list[Naming]) -> list[Naming]:
        return waiting

    def content(self, file: File) -> bytes:
        return file.cached()


class Lost:
    """Nothing has come to the disk but what was synced."""

    def names(self, waiting: list[Naming]) -> list[Naming]:
        return []

    def content(self, file: File) -> bytes:
        return applied(file.safe, [change for change in file.waiting if change.safe])


class Torn:
    """Some of it has: by whole writes when `unit` is None, else by sectors or pages of `unit` bytes."""

    def __init__(self, chance: random.Random, unit: int | None) -> None:
        self._chance = chance
        self._unit = unit

    def names(self, waiting: list[Naming]) -> list[Naming]:
        return [naming for naming in waiting if self._chance.random() < 0.5]

    def content(self, file: File) -> bytes:
        if not file.waiting:
            return file.safe
        if any(change.data is None for change in file.waiting):
            return applied(file.safe, file.waiting[: self._chance.randint(0, len(file.waiting))])
        data = bytearray(file.safe)
        if self._chance.random() < 0.5:
            _apply(data, file.length(), b"")
        if self._unit is None:
            for change in file.waiting:
                if change.safe or self._chance.random() < 0.5:
                    _apply(data, change.offset, change.data)
        else:
            self._tear(data, file.waiting, self._unit)
        return bytes(data)

    def _tear(self, data: bytearray, changes: list[Change], unit: int) -> None:
        """Each unit stops at a version of its own."""
        last: dict[int, int] = {}
        for number, change in enumerate(changes):
            for sector in range(change.offset // unit, -(-change.end // unit)):
                stop = last.setdefault(sector, self._chance.randint(0, len(changes)))
                if change.safe or number < stop:
                    start, end = max(change.offset, sector * unit), min(change.end, (sector + 1) * unit)
                    _apply(data, start, (change.data or b"")[start - change.offset : end - change.offset])


Fate = Kept | Lost | Torn


class Disk:
    """The files of a recorded run. Its directory, empty at first, is safe itself."""

    def __init__(self, recording: Recording) -> None:
        self._root = recording.root
        self._nodes: dict[int, int] = {recording.inode: 0}
        self._files: dict[int, File] = {}
        self._cached: dict[int, dict[str, int]] = {0: {}}  # names in each directory, while the power is on
        self._safe: dict[int, dict[str, int]] = {0: {}}
        self._waiting: list[Naming] = []
        self._last = 0

    def apply(self, event: Event) -> None:
        """Take the next step of the recording."""
        what, node = event.what, self._nodes.get(event.inode)
        if what is What.MKDIR:
            self._cached[self._add(event)] = {}
        elif what is What.OPEN:
            self._open(event, node)
        elif what in (What.RENAME, What.LINK):
            self._move(event)
        elif what in (What.UNLINK, What.RMDIR):
            directory, name = self._place(event.path)
            self._name(Entry(directory, name, None))
        elif node is None:
            return  # a file without a name: it is gone with the power
        elif what is What.SYNC:
            self._sync(node)
        elif what is What.WRITE:
            self._files[node].waiting.append(Change(event.number, event.data))
        elif what is What.TRUNCATE:
            self._files[node].waiting.append(Change(event.number, None))
        elif what is What.SYNC_RANGE:
            change = self._files[node].waiting[-1]
            assert (change.offset, len(change.data or b"")) == (event.number, int.from_bytes(event.data, "little"))
            change.safe = True

    def image(self, fate: Fate) -> Image:
        """What is found when the power is back."""
        tree = {node: dict(names) for node, names in self._safe.items()}
        for naming in fate.names(self._waiting):
            for entry in naming.entries:
                _set(tree.setdefault(entry.directory, {}), entry)
        return dict(self._walk(tree, 0, PurePosixPath(), fate))

    def _walk(
        self, tree: dict[int, dict[str, int]], node: int, path: PurePosixPath, fate: Fate
    ) -> Iterator[tuple[str, bytes | None]]:
        for name, below in sorted(tree.get(node, {}).items()):
            file = self._files.get(below)
            yield str(path / name), None if file is None else fate.content(file)
            if file is None:
                yield from self._walk(tree, below, path / name, fate)

    def _add(self, event: Event) -> int:
        self._last += 1
        self._nodes[event.inode] = self._last
        directory, name = self._place(event.path)
        self._name(Entry(directory, name, self._last))
        return self._last

    def _open(self, event: Event, node: int | None) -> None:
        directory, name = self._place(event.path)
        if node is None or self._cached[directory].get(name) != node:
            node = self._add(event)
            self._files[node] = File()
        elif event.number:
            self._files[node].waiting.append(Change(0, None))

    def _move(self, event: Event) -> None:
        source, old = self._place(event.path)
        target, new = self._place(event.other)
        gained = Entry(target, new, self._cached[source][old])
        self._name(gained, *([Entry(source, old, None)] if event.what is What.RENAME else []))

    def _place(self, path: str) -> tuple[int, str]:
        """The directory's node, and the name in it."""
        *above, name = PurePosixPath(path).relative_to(self._root).parts
        node = 0
        for each in above:
            node = self._cached[node][each]
        return node, name

    def _name(self, *entries: Entry) -> None:
        """The first entry is the one whose directory has to be synced."""
        self._waiting.append(Naming(entries, entries[0].directory))
        for entry in entries:
            _set(self._cached[entry.directory], entry)

    def _sync(self, node: int) -> None:
        if node in self._files:
            file = self._files[node]
            self._files[node] = File(file.cached())
            return
        for naming in self._waiting:
            if naming.synced_with == node:
                for entry in naming.entries:
                    _set(self._safe.setdefault(entry.directory, {}), entry)
        self._waiting = [naming for naming in self._waiting if naming.synced_with != node]


def _set(names: dict[str, int], entry: Entry) -> None:
    if entry.node is None:
        names.pop(entry.name, None)
    else:
        names[entry.name] = entry.node
