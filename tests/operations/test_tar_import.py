"""Archives that export wrote become snapshots with the very same tree."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.clock import FixedClock
from icc_store.codec.archive_stream import ArchiveFormat
from icc_store.ids import Kind
from icc_store.limits import KIB
from icc_store.model.content_writer import store_stream
from icc_store.model.entry import Entry
from icc_store.model.record import SnapshotClass, SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of, walk
from icc_store.opening import create_repository, open_repository
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.tar_export import ExportOptions, export_tar
from icc_store.operations.tar_import import ImportOptions, ImportResult, import_tar
from tests.support.rich_tree import make_rich_tree
from tests.support.snapshots import MTIME, take


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    """A repository for many examples."""
    path = tmp_path_factory.mktemp("workshop") / "repository"
    create_repository(path)
    with open_repository(path) as opened:
        yield opened


def exported(repository: Repository, record: SnapshotRecord, form: ArchiveFormat = ArchiveFormat.TAR) -> bytes:
    out = io.BytesIO()
    result = export_tar(repository, record, target=out.write, options=ExportOptions(form=form))
    assert result.problems == ()
    return out.getvalue()


def imported(repository: Repository, data: bytes, **options: Any) -> ImportResult:
    return import_tar(repository, io.BytesIO(data), options=ImportOptions(**options))


def same_root(repository: Repository, one: SnapshotRecord, two: SnapshotRecord) -> None:
    """Both have the very same tree; if not, say where they differ."""
    if one.root != two.root:
        left, right = listing(repository, one), listing(repository, two)
        assert left == right
    assert (one.root, one.root_entry) == (two.root, two.root_entry)


def listing(repository: Repository, record: SnapshotRecord) -> dict[bytes, Any]:
    return {found.path: (found.entry.to_wire(), found.owners) for found in walk(repository.objects, root_of(record))}


# ------------------------------------------------------------------------------------ what export wrote


@pytest.mark.parametrize("form", list(ArchiveFormat))
def test_an_export_comes_back_as_the_same_tree(tmp_path: Path, repository: Repository, form: ArchiveFormat) -> None:
    """A directory with everything in it, exported and imported, has the same root id and the same root entry."""
    snapshot = take_snapshot(repository, [make_rich_tree(tmp_path / "rich")]).snapshot
    assert snapshot is not None
    result = imported(repository, exported(repository, snapshot.record, form))
    same_root(repository, snapshot.record, result.snapshot.record)
    assert result.warnings == ()
    assert result.snapshot.record.counters.added_plain == 0


def test_several_paths_come_back_as_the_same_tree(tmp_path: Path, repository: Repository) -> None:
    """A snapshot of several paths has no root of its own; its tree is the same nevertheless."""
    make_rich_tree(tmp_path / "b" / "rich")
    (tmp_path / "a").write_text("a file")
    os.link(tmp_path / "b" / "rich" / "plain.txt", tmp_path / "a link")
    paths = [tmp_path / "a", tmp_path / "b" / "rich", tmp_path / "a link"]
    snapshot = take_snapshot(repository, paths).snapshot
    assert snapshot is not None
    assert snapshot.record.root_entry is None
    same_root(repository, snapshot.record, imported(repository, exported(repository, snapshot.record)).snapshot.record)


def test_a_file_of_the_archive_on_the_disk(tmp_path: Path, repository: Repository) -> None:
    """The record says class, source, host, name, tags, note and time as asked, and counts what came in."""
    record = take(repository, {"a": b"1", "d/b": b"22", "l": Entry(b"", stat.S_IFLNK | 0o777, target=b"a")}).record
    export_tar(repository, record, target=tmp_path / "x.tar.zst")
    clock = FixedClock(MTIME + 5)
    plain = import_tar(repository, tmp_path / "x.tar.zst", clock=clock).snapshot.record
    assert (plain.kind, plain.source, plain.parent) == (SnapshotClass.IMPORT, "import:x.tar.zst", None)
    assert (plain.counters.files, plain.counters.directories, plain.counters.others) == (2, 1, 1)
    assert (plain.counters.size, plain.paths, plain.time_ns) == (3, (), MTIME + 5)
    options = ImportOptions("n", ("t", "u", "t"), "a note", source="s", host="h")
    named = import_tar(repository, tmp_path / "x.tar.zst", options=options).snapshot.record
    assert (named.name, named.tags, named.note, named.source, named.host) == ("n", ("t", "u"), "a note", "s", "h")
    assert [one.record.kind for one in repository.snapshots()] == ["full", "import", "import"]


def test_an_empty_snapshot_comes_back(repository: Repository) -> None:
    """An archive with nothing in it is an archive."""
    record = take(repository, {}).record
    same_root(repository, record, imported(repository, exported(repository, record)).snapshot.record)


def test_a_directory_of_many_parts_comes_back(repository: Repository) -> None:
    """A directory that is cut into parts is cut in the same places."""
    record = take(repository, {f"name {number * 7919 % 20_011}": b"" for number in range(20_000)}).record
    same_root(repository, record, imported(repository, exported(repository, record)).snapshot.record)


names = st.one_of(
    st.sampled_from([b"a", b"b", b"-", b" ", b"\xff", b"\n", b"x=y", "\u00e9".encode(), b"PaxHeaders", b"..."]),
    st.binary(min_size=1, max_size=255).filter(lambda name: not {0, 47} & set(name) and name not in {b".", b".."}),
)
numbers = st.one_of(st.integers(0, 3), st.integers(0, (1 << 32) - 2))
times = st.one_of(st.integers(-(1 << 63), (1 << 64) - 1), st.integers(0, 3), st.just(MTIME))
xattrs = st.dictionaries(
    st.binary(min_size=1, max_size=40).filter(lambda name: 0 not in name), st.binary(max_size=80), max_size=3
).map(lambda found: dict(sorted(found.items())) or None)


@st.composite
def entries(draw: st.DrawFn) -> tuple[Entry, bytes]:
    """Any entry but a directory, and its content."""
    kind = draw(st.sampled_from([stat.S_IFREG] * 4 + [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK]))
    entry = Entry(b"", kind | draw(st.integers(0, 0o7777)), draw(numbers), draw(numbers), mtime_ns=draw(times))
    entry.xattrs = draw(xattrs)
    if draw(st.integers(0, 4)) == 0:
        entry.flags = draw(st.integers(0, 7))
        entry.kept = draw(st.dictionaries(st.integers(128, 200), st.binary(max_size=5), max_size=2))
    content = b""
    if kind == stat.S_IFREG:
        content = draw(st.binary(max_size=1000))
    elif kind == stat.S_IFLNK:
        entry.mode |= 0o1
        entry.target = draw(st.binary(min_size=1, max_size=300).filter(lambda target: 0 not in target))
    elif kind != stat.S_IFIFO:
        entry.device = (draw(numbers), draw(numbers))
    return entry, content


@given(st.dictionaries(st.lists(names, min_size=1, max_size=4).map(b"/".join), entries(), max_size=12), st.booleans())
@settings(max_examples=150)
def test_any_tree_comes_back(workshop: Repository, tree: dict[bytes, tuple[Entry, bytes]], listed: bool) -> None:
    """Whatever names, modes, owners, times, attributes and marks entries have, the root id is the same."""
    files: dict[str | bytes, bytes | Entry] = {}
    with workshop.adding() as run:
        for path, (entry, content) in tree.items():
            if any(other != path and other.startswith(path + b"/") for other in tree):
                continue  # it would have to be a directory
            if content:
                entry.size = len(content)
                if listed:  # as a live database is stored, however small
                    size = len(content)
                    entry.content_list, _ = store_stream(run.writer, run.objects, [io.BytesIO(content)], size=size)
                else:
                    entry.chunk = run.writer.add(Kind.CHUNK, content)
            files[path] = entry
        run.writer.commit()
    record = take(workshop, files).record
    same_root(workshop, record, imported(workshop, exported(workshop, record)).snapshot.record)


@given(st.lists(st.tuples(st.integers(1, 300 * KIB), st.integers(1, 1 << 40)), min_size=1, max_size=8), st.data())
@settings(max_examples=40)
def test_any_sparse_file_comes_back(workshop: Repository, runs: list[tuple[int, int]], data: st.DataObject) -> None:
    """Data and holes of any length, in any place, are data and holes again."""
    extents: list[io.BytesIO | int] = []
    for size, hole in runs:
        extents += [io.BytesIO(os.urandom(8) * (size // 8 + 1)), hole]
    extents = extents[data.draw(st.integers(0, 1)) : len(extents) - data.draw(st.integers(0, 1))]
    with workshop.adding() as run:
        content, size = store_stream(run.writer, run.objects, extents, size=sum(map(sum, runs)))
        run.writer.commit()
    if not size:
        return
    record = take(workshop, {"f": Entry(b"", stat.S_IFREG | 0o644, size=size, content_list=content)}).record
    assert len(workshop.objects.get(content, Kind.LIST)) > 0
    if not any(isinstance(extent, int) for extent in extents):
        return
    out = exported_without_bytes(workshop, record)
    same_root(workshop, record, imported(workshop, out).snapshot.record)


def exported_without_bytes(repository: Repository, record: SnapshotRecord) -> bytes:
    """An export that is known to be small: holes are not written out."""
    out = exported(repository, record)
    assert len(out) < 1 << 24
    return out
