"""Snapshots of real directories: what is read again and what is not, and what the record says."""

from __future__ import annotations

import io
import os
import shutil
import time
from pathlib import Path

import pytest

from icc_store.errors import SourceError
from icc_store.fs.identity import default_source
from icc_store.ids import Kind
from icc_store.limits import WHOLE_FILE_SIZE
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import parse_tree, tree_parts
from icc_store.model.walk import lookup
from icc_store.monitor import Monitor
from icc_store.opening import create_repository, open_repository
from icc_store.operations.forget import forget
from icc_store.operations.snapshot import SnapshotOptions, SnapshotResult, take_snapshot
from tests.support.live import OLD, clean, contents, fill, names, new_clock, on_disk, put, shoot, snap
from tests.support.shelf import noise, words

RACY = 2.1
"""Seconds after which what was written is no longer read again for being young."""


class Listener(Monitor):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.warnings: dict[bytes, str] = {}
        self.notes: list[str] = []
        self.phases: list[str] = []

    def phase(self, name: str) -> None:
        self.phases.append(name)

    def warning(self, path: bytes, message: str) -> None:
        self.warnings[path] = message

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that nobody has changed for longer than the racy rule asks for."""
    top = tmp_path_factory.mktemp("settled") / "top"
    fill(top, {"a": b"a", "b": words(1, 5000), "d/c": b"c", "d/e/f": noise(1, 3000), "large": noise(2, 2_500_000)})
    time.sleep(RACY)
    return top


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return tmp_path / "source"


def chunk_of(repository: Repository, snapshot: Snapshot, path: bytes) -> bytes | None:
    return lookup(repository.objects, snapshot.record, path).entry.chunk


def test_the_first_and_an_unchanged_second(repository: Repository, settled: Path) -> None:
    """The first snapshot reads and stores everything; a second of the same tree reads nothing and is the same tree."""
    first = shoot(repository, settled)
    size = sum(map(len, on_disk(settled).values()))
    assert first.snapshot is not None
    assert contents(repository, first.snapshot) == on_disk(settled)
    counted = first.counters
    assert (counted.files, counted.directories, counted.size, counted.read_bytes) == (5, 2, size, size)
    assert (counted.new_files, counted.changed_files, counted.unchanged_files) == (5, 0, 0)
    second = shoot(repository, settled)
    assert second.snapshot is not None
    assert second.unchanged
    assert second.snapshot.record.root == first.snapshot.record.root
    assert second.snapshot.record.root_entry == first.snapshot.record.root_entry
    assert second.snapshot.record.parent == first.snapshot.id
    assert second.parent == first.snapshot
    again = second.counters
    assert (again.read_bytes, again.added_plain, again.unchanged_files, again.new_files) == (0, 0, 5, 0)
    assert (again.files, again.directories, again.size) == (5, 2, size)


def test_rehash_reads_everything(repository: Repository, settled: Path) -> None:
    """With `rehash` every file is read whatever its times say, and nothing is stored twice."""
    snap(repository, settled)
    result = shoot(repository, settled, rehash=True)
    assert result.unchanged
    assert result.counters.read_bytes == sum(map(len, on_disk(settled).values()))
    assert (result.counters.added_plain, result.counters.unchanged_files) == (0, 5)


def test_another_source_shares_but_has_no_parent(repository: Repository, settled: Path) -> None:
    """A second source has its own line of parents, and stores nothing that the first has stored."""
    first = snap(repository, settled)
    other = shoot(repository, settled, source="other")
    assert other.parent is None
    assert other.counters.added_plain == 0
    assert other.counters.new_files == 5
    assert snap(repository, settled).record.parent == first.id
    assert shoot(repository, settled, host="elsewhere").parent is None


def test_what_the_record_says(repository: Repository, settled: Path) -> None:
    """Name, tags (each once), note, paths and host are in the record; the source of a path has a default."""
    options = SnapshotOptions(name="friday", tags=("x", "y", "x"), note="why", exclude=("*.tmp",))
    taken = take_snapshot(repository, [settled], options=options, clock=repository.clock).snapshot
    assert taken is not None
    record = taken.record
    assert (record.name, record.tags, record.note) == ("friday", ("x", "y"), "why")
    assert record.paths == (bytes(settled),)
    assert record.source == default_source([settled])
    assert record.exclusions["patterns"] == [b"*.tmp"]
    assert record.time_ns == repository.clock.now_ns()
    assert repository.snapshots()[0].record == record


def test_only_a_time_changed(repository: Repository, settled: Path, source: Path) -> None:
    """A new modification time is in the next snapshot; the content is found to be the same and not stored again."""
    shutil.copytree(settled, source)
    first = snap(repository, source)
    os.utime(source / "a", ns=(OLD + 5, OLD + 5))
    result = shoot(repository, source)
    assert result.snapshot is not None
    entry = lookup(repository.objects, result.snapshot.record, b"a").entry
    assert entry.mtime_ns == OLD + 5
    assert entry.chunk == chunk_of(repository, first, b"a")
    assert (result.counters.changed_files, result.counters.unchanged_files) == (0, 5)


def test_same_size_and_time_but_another_content(repository: Repository, source: Path) -> None:
    """A change is noticed even where size and modification time were put back: the change time cannot be."""
    fill(source, {"a": b"before", "b": b"b"})
    snap(repository, source)
    time.sleep(RACY)
    snap(repository, source)
    put(source / "a", b"behind")
    result = shoot(repository, source)
    assert result.snapshot is not None
    assert contents(repository, result.snapshot) == {"a": b"behind", "b": b"b"}
    assert result.counters.changed_files == 1


def test_what_was_just_written_is_read_again(repository: Repository, source: Path) -> None:
    """A file younger than two seconds is read again next time, for it may have changed within its time stamp."""
    fill(source, {"a": b"1", "b": b"2"}, mtime_ns=None)
    snap(repository, source)
    assert shoot(repository, source).counters.read_bytes == 2
    time.sleep(RACY)
    assert shoot(repository, source).counters.read_bytes == 2
    assert shoot(repository, source).counters.read_bytes == 0


def test_a_silent_change_surfaces(tmp_path: Path, settled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose bytes changed without any of its times is read when its turn comes, stored, and warned of.

    The change is made from the other side: the first snapshot is taken of other bytes than the file has.
    """
    from icc_store.fs import file_reader

    create_repository(tmp_path / "r")
    honest = file_reader.FileReader.read_small

    def rotten(*arguments: object) -> object:
        data, *rest = honest(*arguments)  # type: ignore[arg-type]
        return (data.swapcase() if data == b"c" else data, *rest)

    with open_repository(tmp_path / "r", clock=new_clock()) as repository:
        monkeypatch.setattr(file_reader.FileReader, "read_small", rotten)
        snap(repository, settled)
        monkeypatch.undo()
        listener = Listener()
        for _ in range(101):
            options = SnapshotOptions(source="home", host="here")
            result = take_snapshot(repository, [settled], options=options, monitor=listener, clock=repository.clock)
            if listener.warnings:
                break
        assert list(listener.warnings) == [b"d/c"]
        assert result.snapshot is not None
        assert contents(repository, result.snapshot)["d/c"] == b"c"


def test_a_renamed_directory_is_read_but_not_stored_again(repository: Repository, settled: Path, source: Path) -> None:
    """What a renamed directory holds is found by its content, whatever its path."""
    shutil.copytree(settled, source)
    snap(repository, source)
    (source / "d").rename(source / "renamed")
    result = shoot(repository, source)
    assert result.snapshot is not None
    assert contents(repository, result.snapshot) == on_disk(source)
    assert result.counters.added_plain < 2000


def test_hard_links_across_directories(repository: Repository, source: Path) -> None:
    """Of several names the first met is the one the others refer to, also after its directory was renamed."""
    fill(source, {"a/one": noise(1, 3000), "b/x": b"x", "c/x": b"y"})
    os.link(source / "a/one", source / "b/two")
    os.link(source / "a/one", source / "c/three")
    for before, after, first in (("a", "a", b"a/one"), ("a", "z", b"b/two"), ("b", "y", b"c/three"), ("c", "zz", None)):
        (source / before).rename(source / after)
        taken = snap(repository, source)
        found = {
            name: lookup(repository.objects, taken.record, os.fsencode(name)).entry for name in names(repository, taken)
        }
        members = {name: entry for name, entry in found.items() if entry.size == 3000}
        assert len(members) == 3
        assert len({entry.chunk for entry in members.values()}) == 1
        first = first or min(os.fsencode(name) for name in members)
        assert {os.fsencode(name): entry.hard_link for name, entry in members.items()} == {
            os.fsencode(name): None if os.fsencode(name) == first else first for name in members
        }


def test_a_link_that_went_is_no_link(repository: Repository, source: Path) -> None:
    """When only one name of a file is left, nothing refers to the others."""
    fill(source, {"a/one": noise(1, 3000), "b/x": b"x"})
    os.link(source / "a/one", source / "b/two")
    snap(repository, source)
    (source / "a/one").unlink()
    taken = snap(repository, source)
    entry = lookup(repository.objects, taken.record, b"b/two").entry
    assert entry.hard_link is None
    assert contents(repository, taken) == {"b/two": noise(1, 3000), "b/x": b"x"}


def test_a_dry_run_adds_nothing(repository: Repository, settled: Path) -> None:
    """A rehearsal says what a snapshot would add, to the byte, and leaves the repository as it is."""
    data = repository.path / "data.mdb"
    before = data.read_bytes(), sorted(path.name for path in repository.path.iterdir())
    planned = shoot(repository, settled, dry_run=True)
    assert planned.snapshot is None
    assert (data.read_bytes(), sorted(path.name for path in repository.path.iterdir())) == before
    done = shoot(repository, settled)
    assert planned.counters.added_plain == done.counters.added_plain
    assert planned.new_objects == done.new_objects
    assert planned.counters.read_bytes == done.counters.read_bytes
    assert shoot(repository, settled, dry_run=True).new_objects == 0


def test_no_snapshot_when_nothing_changed(repository: Repository, settled: Path, source: Path) -> None:
    """With `skip_if_unchanged` there is a snapshot only when the tree or its directory's metadata differ."""
    shutil.copytree(settled, source)
    assert shoot(repository, source, skip_if_unchanged=True).snapshot is not None
    skipped = shoot(repository, source, skip_if_unchanged=True)
    assert (skipped.snapshot, skipped.unchanged) == (None, True)
    assert len(repository.snapshots()) == 1
    (source / "a").chmod(0o600)
    assert shoot(repository, source, skip_if_unchanged=True).snapshot is not None
    source.chmod(0o700)
    assert shoot(repository, source, skip_if_unchanged=True).snapshot is not None
    assert len(repository.snapshots()) == 3


def test_a_state_that_comes_back_after_gc(repository: Repository, source: Path) -> None:
    """What was collected is stored again when the tree becomes as it was, whatever earlier runs had seen of it."""
    first_files = {"a": noise(1, 3000), "d/b": noise(2, 3000), "d/same": b"1"}
    fill(source, first_files)
    kept = source.parent / "kept"
    time.sleep(RACY)
    first = snap(repository, source)
    source.rename(kept)
    fill(source, {"a": noise(3, 3000), "d/same": b"1"})
    second = snap(repository, source)
    forget(repository, [first.id])
    clean(repository)
    shutil.rmtree(source)
    kept.rename(source)
    third = snap(repository, source)
    assert contents(repository, third) == first_files
    assert contents(repository, second) == {"a": noise(3, 3000), "d/same": b"1"}


def stream(repository: Repository, data: bytes, **options: object) -> SnapshotResult:
    given = SnapshotOptions(stdin_name=b"dump.sql", **options)  # type: ignore[arg-type]
    return take_snapshot(repository, [], options=given, stream=io.BytesIO(data), clock=repository.clock)


@pytest.mark.parametrize("size", [0, 1, WHOLE_FILE_SIZE, WHOLE_FILE_SIZE + 1, 5_000_000])
def test_a_stream(repository: Repository, size: int) -> None:
    """A stream of any length is a snapshot of one file; a second one stores only what differs."""
    data = noise(1, size)
    first = stream(repository, data)
    assert first.snapshot is not None
    assert contents(repository, first.snapshot) == {"dump.sql": data}
    assert (first.counters.files, first.counters.size) == (1, size)
    second = stream(repository, data + b"and more")
    assert second.snapshot is not None
    assert second.parent == first.snapshot
    assert contents(repository, second.snapshot) == {"dump.sql": data + b"and more"}
    if size != WHOLE_FILE_SIZE:  # one chunk becomes a list of them: that is stored once
        assert second.counters.added_stored < size * 0.2 + 2000


def test_nothing_to_back_up(repository: Repository, tmp_path: Path) -> None:
    """Naming nothing, or a path that does not exist, is refused, and nothing is stored."""
    with pytest.raises(SourceError, match="nothing to back up"):
        shoot(repository)
    with pytest.raises(SourceError, match="missing cannot be backed up: No such file"):
        shoot(repository, tmp_path / "missing")
    assert repository.snapshots() == []


@pytest.mark.slow
def test_a_large_directory(repository: Repository, source: Path) -> None:
    """One more file in a large directory rewrites at most three parts of its tree; gc does not undo that."""
    source.mkdir()
    expected = {}
    for number in range(12_000):
        name = f"entity {number * 7919 % 100_003:06}"
        (source / name).write_bytes(b"%d" % number)
        expected[name] = b"%d" % number
    time.sleep(RACY)
    first = snap(repository, source)
    parts = dict(parts_of(repository, first))
    assert len(parts) > 3
    assert contents(repository, first) == expected
    read = []
    for number in range(6):
        (source / f"entity {number * 16_661:06} new").write_bytes(b"new")
        result = shoot(repository, source)
        assert result.snapshot is not None
        now = dict(parts_of(repository, result.snapshot))
        assert len(set(now) - set(parts)) <= 3
        assert (result.counters.new_files, result.counters.unchanged_files) == (1, 12_000 + number)
        read.append(result.counters.read_bytes)
        assert result.counters.added_plain < 3 * 8192 * 120
        forget(repository, [repository.snapshots()[0].id])
        clean(repository)
        parts = now
    assert sum(count > 3 * 6 for count in read) <= 1  # when the turn of a part has come
    entries = [
        wire[1] for _, part in tree_parts(repository.objects, result.snapshot.record.root) for wire in part.entries
    ]
    assert entries == sorted(os.fsencode(name) for name in os.listdir(source))
    node = parse_tree(repository.objects.get(result.snapshot.record.root, Kind.TREE))
    assert isinstance(node, list)


def parts_of(repository: Repository, snapshot: Snapshot) -> list[tuple[bytes, int]]:
    return [(identity, len(part.entries)) for identity, part in tree_parts(repository.objects, snapshot.record.root)]
