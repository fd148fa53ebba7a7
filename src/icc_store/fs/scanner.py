"""The live directory tree into the store: walk, compare with what was seen last time, read what is new.

Everything is done per directory part, what is below first. LiveParts lists and stats; `store_part` asks whether the
part is as it was, one comparison for all of it, and else goes through it entry by entry. These are the hot paths: an
unchanged file may cost a `stat` (3.5 us) and little else, so they are flat, make no object per file and call nobody
they need not.
"""

from __future__ import annotations

import errno
import os
import stat
from bisect import bisect_right
from collections.abc import Generator
from typing import Any

from icc_store.codec.serial import pack, unpack
from icc_store.errors import DamageError
from icc_store.fs.access import Access
from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.file_store import FileStore
from icc_store.fs.hard_links import HardLinks
from icc_store.fs.live_copies import SqliteCopies
from icc_store.fs.live_parts import LiveParts, StartSecond
from icc_store.fs.metadata import MetadataReader
from icc_store.fs.nesting import Nested, run_nested
from icc_store.fs.scan_state import Directory, Earlier, Part, Run, ScanCounters, ScanOptions, is_same
from icc_store.fs.second_scan import FoundPart
from icc_store.fs.seen import NO_FINGERPRINT, fingerprint_of, list_key, make_row, mark_of, parse_row, row_key
from icc_store.fs.sqlite_source import companions
from icc_store.fs.watcher import Watcher
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TREE_DEPTH
from icc_store.model.entry import CHUNK, FLAGS, GID, LIST, MTIME, NAME, SIZE, SUBTREE, UID, Wire, in_order
from icc_store.model.paths import join
from icc_store.model.tree import Owners, TreePart, join_parts, pack_part, parse_tree, store_part
from icc_store.monitor import Monitor

_TYPE = 0o170000
_REG, _DIR, _SOCK = stat.S_IFREG, stat.S_IFDIR, stat.S_IFSOCK
_REREAD_RUNS = 100
"""Each part is read anew, whatever its times say, once in so many runs, so that silent changes surface."""

_LISTEN = 32
"""Files that are stored before what the second scan has made is taken in, which it makes as quickly."""


class Scanner:
    """Scans directories for one snapshot."""

    def __init__(
        self,
        run: Run,
        options: ScanOptions,
        copies: SqliteCopies,
        monitor: Monitor,
        *,
        watcher: Watcher | None = None,
        start_second: StartSecond | None = None,
    ) -> None:
        """`start_second` starts another scan of the same directory; it is called where there is much to do."""
        self.watcher = watcher
        self.parts = LiveParts(run, options, monitor, self.problem, start_second)
        self._run = run
        self.options = options
        self.copies = copies
        self._monitor = monitor
        self._metadata = MetadataReader()
        self._access = Access(self._metadata)
        self._links = HardLinks()
        self._device = 0
        self.files = FileStore(run.writer, run.objects, watcher)
        self.counters = ScanCounters()
        self.problems: dict[bytes, str] = {}
        """Stored paths of what could not be read, and why."""

    def scan(self, fd: int, stored: bytes) -> ObjectId:
        """Store the directory open at `fd`, stored under that path. Returns its tree. Raises OSError."""
        self.begin(fd, stored)
        stack = DirectoryStack(fd)
        try:
            return run_nested(self._directory(stack, stored))
        finally:
            stack.close()
            self.parts.close()

    def begin(self, fd: int, stored: bytes) -> None:
        """What follows is below the directory open at `fd`, stored under that path. Raises OSError."""
        self._device = os.fstat(fd).st_dev
        self._access.below(fd, stored)
        self.parts.begin(fd, stored)

    def one(self, fd: int, name: bytes, stored: bytes) -> Wire | None:
        """Store one name that is not a directory. None when it is a socket or cannot be read: see `problems`."""
        self._access.below(fd, stored[: -len(name) - 1])
        status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        if status.st_mode & _TYPE == _SOCK:
            return None
        directory = Directory(stored[: -len(name) - 1], [])
        part = Part(b"", [name], [status])
        wires = self._wires(fd, directory, part, {}, reread=False)
        self.counters.add(directory.counted)
        return wires[0] if wires else None

    def directory_entry(self, fd: int, name: bytes, subtree: ObjectId) -> Wire:
        """The entry of the directory open at `fd`."""
        return in_order(self._described(fd, b"", os.fstat(fd)) | {NAME: name, SUBTREE: subtree})

    def owners(self, wires: list[Wire]) -> Owners:
        """The names of the entries' owners, as far as this machine knows them."""
        owners = Owners()
        for uid in {wire[UID] for wire in wires}:
            name = self._metadata.user(uid)
            if name is not None:
                owners.users[uid] = name
        for gid in {wire[GID] for wire in wires}:
            name = self._metadata.group(gid)
            if name is not None:
                owners.groups[gid] = name
        return owners

    def add_tree(self, data: bytes) -> ObjectId:
        """Store a tree."""
        return self._run.writer.add(Kind.TREE, data)

    def problem(self, path: bytes, error: OSError) -> None:
        """Note that something could not be stored; once per path."""
        if path not in self.problems:
            message = self.problems[path] = self._access.explain(path, error)
            self._monitor.warning(path, message)

    def directory(self, path: bytes) -> Directory:
        """The directory of that stored path, before anything of it is stored."""
        row = self._run.seen(list_key(self.options.label, path))
        return Directory(path, unpack(row) if row else [b""])

    def _directory(self, stack: DirectoryStack, path: bytes) -> Nested[ObjectId]:
        directory = self.directory(path)
        while True:
            tree = yield from self._parts(stack, directory)
            if tree is not None:
                self.counters.add(directory.counted)
                return tree
            # Something could not be stored. Where a directory is cut depends on what it holds, so it is cut again
            # without that. What is below is done already, and no name is dropped twice, so this ends.
            directory.counted = ScanCounters()
            directory.rows.clear()

    def _parts(self, stack: DirectoryStack, directory: Directory) -> Generator[Nested[ObjectId], Any, ObjectId | None]:
        """Store a directory part by part and join them. None when more had to be dropped."""
        done: list[tuple[bytes, ObjectId]] = []
        dropped_before = frozenset(directory.dropped)
        for part in self.parts.of(stack, directory):
            tree = None
            if part.found is not None:
                tree = self._adopt(directory, part.found)
            elif (yield from self._below(stack, directory, part)):
                tree = self.store_part(stack.fd, directory, part)
            if tree is not None:
                done.append((part.names[0] if part.names else b"", tree))
        if directory.dropped != dropped_before:  # told only now: one more time is enough for all of them
            return None
        firsts = [b"", *(first for first, _ in done[1:])]
        if firsts != directory.firsts:
            directory.rows[list_key(self.options.label, directory.path)] = pack(firsts)
        for key, row in directory.rows.items():
            self._run.remember(key, row)
        return join_parts(done, self.add_tree)

    def _adopt(self, directory: Directory, found: FoundPart) -> ObjectId:
        """Take over a part that the second scan has stored."""
        directory.rows.update(found.rows)
        if self.watcher is not None:
            self.watcher.take_over(found.facts)
        directory.counted.add(found.counted)
        self.files.read_bytes += found.read_bytes
        self._monitor.advance(found.counted.files, found.counted.size, directory.path)
        return found.tree

    def store_part(self, fd: int, directory: Directory, part: Part) -> ObjectId | None:
        """Store one part. None when something had to be dropped."""
        if part.first:
            part.first = part.names[0]
        subtrees = directory.subtrees
        others: list[bytes] = [subtrees[name] for name in part.names if name in subtrees] if subtrees else []
        if not part.is_plain:
            others += self._links.targets(directory.path, part)
        mark = fingerprint_of(part.names, part.statuses, others)
        key = row_key(self.options.label, directory.path, part.first)
        stored = self._run.seen(key)
        row = parse_row(stored) if stored is not None else None
        if row is not None and not self._run.writer.has(row.tree):
            row = None
        watcher = self.watcher
        known = row is not None and (watcher is None or watcher.knows(row.tree))
        reread = self.options.rehash or int.from_bytes(key[:2]) % _REREAD_RUNS == self.options.turn % _REREAD_RUNS
        if row is not None and known and row.fingerprint == mark and not reread:
            self._monitor.advance(*directory.counted.add_unchanged(part), directory.path)
            return row.tree
        earlier = self._earlier(directory, part)
        wires = self._wires(fd, directory, part, earlier, reread=reread)
        if wires is None:
            return None
        bases = (row.tree,) if row is not None else ()
        add = self._run.writer.add
        tree = store_part(wires, self.owners(wires), lambda data: add(Kind.TREE, data, bases=bases))
        if watcher is not None:
            watcher.part(tree, wires)
        settled = not any(FLAGS in wire for wire in wires)
        fresh = make_row(tree, part.statuses, mark if settled else NO_FINGERPRINT, self.options.racy_from_ns)
        if fresh != stored:
            directory.rows[key] = fresh
        return tree

    def goes_into(self, status: os.stat_result) -> bool:
        """Whether a directory of this status is on a file system that is stored."""
        return not self.options.one_file_system or status.st_dev == self._device

    def _below(self, stack: DirectoryStack, directory: Directory, part: Part) -> Generator[Nested[ObjectId], Any, bool]:
        """Store the directories in a part. False when one had to be dropped."""
        dropped = False
        if part.is_plain:
            return True
        for name, status in zip(part.names, part.statuses, strict=True):
            if status.st_mode & _TYPE != _DIR or name in directory.subtrees:
                continue
            path = join(directory.path, name)
            if not self.goes_into(status):
                directory.subtrees[name] = self.add_tree(pack_part([], Owners()))
                continue
            try:
                if path.count(b"/") + 1 >= MAX_TREE_DEPTH:
                    raise OSError(errno.ENAMETOOLONG, f"deeper than the {MAX_TREE_DEPTH:,} directories that are stored")
                stack.descend(name)
            except OSError as error:
                self.problem(path, error)
                directory.dropped.add(name)
                dropped = True
                continue
            try:
                directory.subtrees[name] = yield self._directory(stack, path)
            except OSError as error:
                self.problem(path, error)
                directory.dropped.add(name)
                dropped = True
            finally:
                os.close(stack.ascend())
        return not dropped

    def _earlier(self, directory: Directory, part: Part) -> Earlier:
        """What the last snapshot has of these names: entries, and the change times and inodes seen then."""
        found: Earlier = {}
        if self.watcher is not None:
            self.watcher.enter(directory.path)
        if not part.names:
            return found
        firsts = directory.firsts
        start = max(bisect_right(firsts, part.names[0]) - 1, 0)
        for first in firsts[start : bisect_right(firsts, part.names[-1])]:
            stored = self._run.seen(row_key(self.options.label, directory.path, first))
            row = parse_row(stored) if stored is not None else None
            if row is None or not self._run.writer.has(row.tree):
                continue
            try:
                tree = parse_tree(self._run.objects.get(row.tree, Kind.TREE))
            except DamageError:
                continue  # everything in it counts as new, and is stored again
            if isinstance(tree, TreePart):
                marks: list[int | None] = [*row.marks()]
                known = self.watcher is None or self.watcher.former(row.tree, tree.entries)
                if len(marks) != len(tree.entries) or not known:
                    marks = [None] * len(tree.entries)
                for wire, mark in zip(tree.entries, marks, strict=True):
                    found[wire[NAME]] = (wire, mark)
        return found

    def _wires(self, fd: int, directory: Directory, part: Part, earlier: Earlier, *, reread: bool) -> list[Wire] | None:
        """The entries of a part, contents stored. None when something had to be dropped."""
        path, counted = directory.path, directory.counted
        live = self.copies.concerns([*part.names, *directory.dropped]) - directory.plain
        if live:
            self.copies.start_directory()
        wires: list[Wire] = []
        second = self.parts.second
        read_before, dropped_before = self.files.read_bytes, frozenset(directory.dropped)
        for name, status in zip(part.names, part.statuses, strict=True):
            found = earlier.get(name)
            if found is not None and not reread and not (live and name in live) and is_same(found, status):
                counted.files += 1
                counted.unchanged_files += 1
                counted.size += status.st_size
                wire: Wire | None = found[0]
            else:
                try:
                    wire = self._entry(fd, directory, name, status, found=found, live=name in live)
                except OSError as error:
                    self.problem(join(path, name), error)
                    wire = None
                if second is not None and not len(wires) % _LISTEN:
                    second.listen()
            if wire is None:
                directory.dropped.add(name)
                continue
            if status.st_nlink > 1 and status.st_mode & _TYPE != _DIR:
                wire = self._links.marked(wire, join(path, name), status)
            wires.append(wire)
        self._monitor.advance(len(wires), self.files.read_bytes - read_before, path)
        return wires if directory.dropped == dropped_before else None

    def _entry(
        self,
        fd: int,
        directory: Directory,
        name: bytes,
        status: os.stat_result,
        *,
        found: tuple[Wire, int | None] | None,
        live: bool,
    ) -> Wire | None:
        """The entry of what is new, changed or not a file. None for a companion of a live database."""
        counted = directory.counted
        kind = status.st_mode & _TYPE
        if kind == _DIR:
            counted.directories += 1
            return in_order(self._described(fd, name, status) | {SUBTREE: directory.subtrees[name]})
        if kind != _REG:
            counted.others += 1
            return self._described(fd, name, status)
        known = found[0] if found is not None else None
        wire = None
        if live:
            wire = directory.copied.get(name)
            if wire is None and self.copies.covered(fd, name):
                return None
            if wire is None:
                wire = self.copies.store(self.files, fd, name, status, known)
                if wire is not None:
                    directory.copied[name] = wire
                else:
                    directory.store_plainly({name, *companions(name)})
            if wire is None and found is not None and is_same(found, status):
                wire = known
        if wire is None:
            wire = self.files.store(fd, name, status, known)
        counted.files += 1
        counted.size += wire[SIZE]
        if known is None:
            counted.new_files += 1
        elif wire.get(CHUNK) == known.get(CHUNK) and wire.get(LIST) == known.get(LIST):
            counted.unchanged_files += 1
        else:
            counted.changed_files += 1
            same_times = found is not None and found[1] == mark_of(status)
            if same_times and known[MTIME] == status.st_mtime_ns and FLAGS not in wire and FLAGS not in known:
                self._monitor.warning(join(directory.path, name), "its content changed, its times did not")
        return wire

    def _described(self, fd: int, name: bytes, status: os.stat_result) -> Wire:
        """The entry of anything but a regular file, without a subtree."""
        entry = self._metadata.fill_entry(fd, name, status)
        attributes, entry.xattrs = entry.xattrs, None
        wire = entry.to_wire()
        if attributes:
            self.files.attributes(wire, attributes)
        return wire
