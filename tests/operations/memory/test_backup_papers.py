"""Backups of a memory come back: made by export or by hand, wrapped in whatever way, whole or damaged."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from icc_store.clock import FixedClock
from icc_store.codec.archive_stream import ArchiveFormat
from icc_store.errors import SourceError
from icc_store.model.record import Snapshot, SnapshotClass
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup, root_of, walk
from icc_store.operations.memory.export import backup_of
from icc_store.operations.memory.export_directory import export_directory
from icc_store.operations.memory.import_directory import import_directory
from icc_store.operations.memory.manifest import manifest_of
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.tar_export import ExportOptions, export_tar
from icc_store.operations.tar_import import ImportOptions, ImportResult, import_tar
from icc_store.operations.verify import verify
from tests.support import tars
from tests.support.live import contents, on_disk
from tests.support.memories import make_memory, make_odd_memory
from tests.support.snapshots import take

TAKEN = 1_793_534_400_123_456_789
NOW = TAKEN + 10**18
NAME = "backup-20261101-120000"


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(TAKEN)


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    """A generated memory of 250 entities."""
    return make_memory(tmp_path / "memory", 250)


def snapshot_of(repository: Repository, top: Path, **options: Any) -> Snapshot:
    made = take_snapshot(repository, [top], options=SnapshotOptions(**options), clock=FixedClock(TAKEN)).snapshot
    assert made is not None
    return made


def archive(repository: Repository, snapshot: Snapshot, form: ArchiveFormat = ArchiveFormat.GZIP) -> bytes:
    out = io.BytesIO()
    options = ExportOptions(form=form, wrapping=backup_of(repository, snapshot).wrapping)
    export_tar(repository, snapshot.record, target=out.write, options=options)
    return out.getvalue()


def imported(repository: Repository, what: bytes | Path, **options: Any) -> ImportResult:
    given, clock = ImportOptions(**options), FixedClock(NOW)
    if isinstance(what, Path) and what.is_dir():
        return import_directory(repository, what, options=given, clock=clock)
    source = what if isinstance(what, Path) else io.BytesIO(what)
    return import_tar(repository, source, options=given, clock=clock)


def paths_of(repository: Repository, snapshot: Snapshot) -> list[bytes]:
    return [found.path for found in walk(repository.objects, root_of(snapshot.record))][1:]


def manifest(repository: Repository, snapshot: Snapshot) -> dict[str, Any]:
    found = manifest_of(repository.snapshot(snapshot.id))
    assert found is not None
    return found


def tar(top: Path, *arguments: str, tool: str = "tar") -> bytes:
    """An archive made by hand in the directory `top`."""
    return subprocess.run([tool, "-czf", "-", *arguments], cwd=top, capture_output=True, check=True).stdout


# ------------------------------------------------------------------------------------ what export made


@pytest.mark.parametrize("make", [make_memory, make_odd_memory], ids=["generated", "odd"])
@pytest.mark.parametrize("form", list(ArchiveFormat))
def test_an_archive_comes_back_as_the_same_tree(
    tmp_path: Path, repository: Repository, make: Callable[[Path], Path], form: ArchiveFormat
) -> None:
    """import(export(S)) has the root of S, its root entry, name, time and counts; every file is proven."""
    snapshot = snapshot_of(repository, make(tmp_path / "memory"), name="friday")
    result = imported(repository, archive(repository, snapshot, form))
    ours, theirs = result.snapshot.record, snapshot.record
    assert (ours.root, ours.root_entry) == (theirs.root, theirs.root_entry)
    assert (ours.name, ours.time_ns, ours.kind) == ("friday", TAKEN, SnapshotClass.IMPORT)
    assert ours.counters.files == theirs.counters.files
    assert (result.warnings, result.problems, result.below) == ((), (), NAME.encode())
    assert result.checked == ours.counters.files
    again, before = manifest(repository, result.snapshot), manifest(repository, snapshot)
    for key in (
        "backup_id",
        "total_entities",
        "entities_by_type",
        "integrity_hash",
        "files_backed_up",
        "system_version",
    ):
        assert again[key] == before[key]
    assert not verify(repository).findings


def test_an_archive_of_an_import_is_the_same_archive(repository: Repository, memory: Path) -> None:
    """What goes round twice has the same files, listing and hash; only what the program did differs."""
    first = snapshot_of(repository, memory)
    second = imported(repository, archive(repository, first)).snapshot
    one, two = backup_of(repository, first), backup_of(repository, second)
    assert (one.name, one.listing, one.files) == (two.name, two.listing, two.files)


@pytest.mark.parametrize("make", [make_memory, make_odd_memory], ids=["generated", "odd"])
def test_an_unpacked_backup_comes_back(tmp_path: Path, repository: Repository, make: Callable[[Path], Path]) -> None:
    """Named itself, or by the directory it is in; the tree is the same but for how sparse files are cut."""
    snapshot = snapshot_of(repository, make(tmp_path / "memory"), name="friday")
    export_directory(repository, snapshot, backup=backup_of(repository, snapshot), parent=tmp_path / "out")
    for place, below in ((tmp_path / "out", NAME.encode()), (tmp_path / "out" / NAME, b"")):
        result = imported(repository, place)
        ours = result.snapshot.record
        assert ours.root == snapshot.record.root
        assert ours.root_entry == snapshot.record.root_entry
        assert (ours.name, ours.time_ns, ours.kind) == ("friday", TAKEN, SnapshotClass.IMPORT)
        assert (result.problems, result.below, result.checked) == ((), below, ours.counters.files)


@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_an_archive_packed_again(tmp_path: Path, repository: Repository, memory: Path, tool: str) -> None:
    """Unpacked by one tar and packed by another, contents and proof are the same."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    snapshot = snapshot_of(repository, memory)
    (tmp_path / "out").mkdir()
    data = archive(repository, snapshot)
    subprocess.run([tool, "-xzf", "-", "-C", str(tmp_path / "out")], input=data, check=True)
    result = imported(repository, tar(tmp_path / "out", NAME, tool=tool))
    assert (result.problems, result.checked) == ((), snapshot.record.counters.files)
    assert contents(repository, result.snapshot) == on_disk(memory)


@pytest.mark.parametrize(
    "files",
    [
        {"entities/x": b"1", "manifest.json": b'{"backup_id": "backup-20260101-000000"}', "SHA256SUMS": b""},
        {"home/ada/.claude/memory/entities/x": b"1"},
        {"backup-20260101-000000/entities/x": b"1"},
    ],
)
def test_a_bare_tree_is_never_unwrapped(repository: Repository, files: dict[str, bytes]) -> None:
    """A plain export comes back as it was, also when what is in it looks like the wrapping of a backup."""
    for fields in ({}, {"root_entry": {1: b"", 2: 0o40755, 3: 0, 4: 0, 6: TAKEN}}):
        snapshot = take(repository, files, **fields)
        out = io.BytesIO()
        export_tar(repository, snapshot.record, target=out.write)
        result = imported(repository, out.getvalue())
        assert result.snapshot.record.root == snapshot.record.root
        assert (result.below, result.checked) == (b"", None)


def test_hard_links_under_a_wrapping(tmp_path: Path, repository: Repository) -> None:
    """Groups of names stay groups, with the first name as it is in the memory."""
    top = make_memory(tmp_path / "memory", 4)
    os.link(top / "config" / "settings.json", top / "a")
    os.link(top / "config" / "settings.json", top / "indexes" / "b")
    snapshot = snapshot_of(repository, top)
    result = imported(repository, archive(repository, snapshot))
    first = lookup(repository.objects, snapshot.record, b"indexes/b").entry.hard_link
    assert first is not None
    assert lookup(repository.objects, result.snapshot.record, b"indexes/b").entry.hard_link == first
    by_hand = imported(repository, tar(tmp_path, "memory")).snapshot.record
    links = {lookup(repository.objects, by_hand, path).entry.hard_link for path in (b"a", b"indexes/b")}
    assert links - {None} <= {b"a", b"config/settings.json", b"indexes/b"}


# ------------------------------------------------------------------------------------ what people make by hand


@pytest.mark.parametrize(
    ("top", "arguments", "below"),
    [
        ("home/.claude/memory", ["."], b""),
        ("home/.claude/memory", ["entities", "config", "indexes", "relationships"], b""),
        ("home/.claude", ["memory"], b"memory"),
        ("home/.claude", ["./memory"], b"memory"),
        (".", ["home/.claude/memory"], b"home/.claude/memory"),
    ],
)
def test_an_archive_made_by_hand(
    tmp_path: Path, repository: Repository, top: str, arguments: list[str], below: bytes
) -> None:
    """However deep it stands, the memory is the root; it gets a manifest, and nothing is said to be proven."""
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    made = make_memory(tmp_path / "home" / ".claude" / "memory", 20)
    result = imported(repository, tar(tmp_path / top, *arguments))
    assert result.below == below
    assert contents(repository, result.snapshot) == on_disk(made)
    assert (result.checked, result.problems, result.snapshot.record.time_ns) == (None, (), NOW)
    assert manifest(repository, result.snapshot)["total_entities"] == 20


def test_checksums_made_by_hand(tmp_path: Path, repository: Repository, memory: Path) -> None:
    """`find | sha256sum` in any order, with `./` in front, and no manifest: proven all the same."""
    script = "find . -type f ! -name SHA256SUMS | sort -r | xargs sha256sum -b > SHA256SUMS"
    subprocess.run(["bash", "-c", script], cwd=memory, check=True)
    files = len(on_disk(memory)) - 1
    result = imported(repository, tar(tmp_path, "memory"))
    assert (result.checked, result.problems, result.warnings) == (files, (), ())
    assert "SHA256SUMS" not in contents(repository, result.snapshot)
    assert imported(repository, memory).checked == files


def test_what_holds_more_than_a_memory_stays_as_it_is(tmp_path: Path, repository: Repository) -> None:
    """Two things side by side are not one memory: nothing is taken off or out."""
    make_memory(tmp_path / "all" / "memory", 4)
    (tmp_path / "all" / "notes.md").write_text("1")
    result = imported(repository, tar(tmp_path, "all"))
    assert b"all/memory/entities" in paths_of(repository, result.snapshot)
    assert (result.below, result.checked) == (b"", None)
    with pytest.raises(SourceError, match="no unpacked backup"):
        imported(repository, tmp_path / "all")
    with pytest.raises(SourceError, match="cannot be read"):
        import_directory(repository, tmp_path / "missing")


def test_files_of_the_memory_that_are_called_alike(tmp_path: Path, repository: Repository) -> None:
    """A manifest.json or SHA256SUMS of something else is kept as a file, with a word about it."""
    top = make_memory(tmp_path / "memory", 4)
    (top / "manifest.json").write_text('{"name": "an app"}')
    (top / "SHA256SUMS").write_text("# see below\n")
    for what in (tar(tmp_path, "memory"), top):
        result = imported(repository, what)
        assert contents(repository, result.snapshot) == on_disk(top)
        assert [path for path, _ in result.warnings] == [b"SHA256SUMS", b"manifest.json"]
        assert result.checked is None


def test_a_backup_without_entities(repository: Repository) -> None:
    """Manifest and listing together say what it is; that it is a selective one is told."""
    snapshot = take(repository, {"config/settings.json": b"{}"})
    said = {"backup_id": NAME, "created_at": "x", "icc_store": {"profile": "icc", "class": "selective"}}
    listing = backup_listing({"config/settings.json": b"{}"})
    data = tars.archive(
        tars.member(b"top/manifest.json", json.dumps(said).encode()),
        tars.member(b"top/SHA256SUMS", listing),
        tars.member(b"top/config/settings.json", b"{}"),
    )
    result = imported(repository, data)
    assert paths_of(repository, result.snapshot) == [b"config", b"config/settings.json"]
    assert (result.checked, [message[:27] for _, message in result.warnings]) == (1, ["the backup is a selective o"])
    assert manifest(repository, result.snapshot)["icc_store"]["profile"] == "icc"
    assert snapshot.record.kind is SnapshotClass.FULL


def backup_listing(files: dict[str, bytes]) -> bytes:
    """What sha256sum prints of them."""
    command = ["sha256sum"]
    lines = []
    for name, data in files.items():
        digest = subprocess.run(command, input=data, capture_output=True, check=True).stdout.split()[0]
        lines.append(digest + b"  " + name.encode() + b"\n")
    return b"".join(lines)


@pytest.mark.parametrize("name", ["latest", "abcdef", "2026-11-01", "-x", "a\nb", " "])
def test_a_name_that_no_snapshot_can_have(repository: Repository, name: str) -> None:
    """It is left off with a word, unless another is given."""
    said = json.dumps({"backup_id": NAME, "backup_name": name, "created_at": "2026-11-01T12:00:00Z"}).encode()
    data = tars.archive(tars.member(b"entities/x", b"1"), tars.member(b"manifest.json", said))
    result = imported(repository, data)
    assert (result.snapshot.record.name, len(result.warnings)) == ("", 1)
    assert "name of the backup is not kept" in result.warnings[0][1]
    assert imported(repository, data, name="mine").snapshot.record.name == "mine"


# ------------------------------------------------------------------------------------ damage


def tampered(data: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """The archive with other contents; None leaves a file out."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old:
            if not member.isfile():
                new.addfile(member)
                continue
            opened = old.extractfile(member)
            assert opened is not None
            content = change(member.name.partition("/")[2], opened.read())
            if content is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))
    return out.getvalue()


def test_a_damaged_backup_is_kept_and_told(tmp_path: Path, repository: Repository, memory: Path) -> None:
    """A changed, a missing and an added file are named; all that is there is stored; validation did not pass."""
    data = archive(repository, snapshot_of(repository, memory))

    def change(name: str, content: bytes) -> bytes | None:
        if name == "config/settings.json":
            return content + b" "
        return None if name == "indexes/tag-index.json" else content

    damaged = tampered(data, change)
    (tmp_path / "out").mkdir()
    subprocess.run(["tar", "-xzf", "-", "-C", str(tmp_path / "out")], input=damaged, check=True)
    (tmp_path / "out" / NAME / "added").write_text("1")
    for what, added in ((damaged, 0), (tmp_path / "out", 1)):
        result = imported(repository, what)
        assert [path for path, _ in result.problems] == [b"config/settings.json", b"indexes/tag-index.json"]
        assert [path for path, _ in result.warnings] == [b"added"] * added
        assert result.checked == len(on_disk(memory)) - 2
        assert contents(repository, result.snapshot)["config/settings.json"].endswith(b"}\n ")
        said = manifest(repository, result.snapshot)
        assert said["validation_passed"] is False
        assert "SHA256SUMS" in said["icc_store"]["failures"][0]


def test_a_manifest_of_another_backup(repository: Repository, memory: Path) -> None:
    """A hash that is not the listing's is told, though every file is what the listing says."""
    data = archive(repository, snapshot_of(repository, memory))

    def change(name: str, content: bytes) -> bytes | None:
        return content.replace(b'"sha256:', b'"sha256:0') if name == "manifest.json" else content

    result = imported(repository, tampered(data, change))
    assert [path for path, _ in result.problems] == [b""]
    assert "do not belong together" in result.problems[0][1]
    assert result.checked == len(on_disk(memory))


def test_a_broken_archive_is_refused_with_all_its_papers(repository: Repository, memory: Path) -> None:
    """Cut off in the middle, it makes no snapshot, though manifest and listing came first."""
    data = archive(repository, snapshot_of(repository, memory))
    with pytest.raises(Exception, match="cut off"):
        imported(repository, data[: len(data) // 2])
    assert [one.record.kind for one in repository.snapshots()] == [SnapshotClass.FULL]


def test_links_in_place_of_papers(tmp_path: Path, repository: Repository) -> None:
    """A symbolic link called manifest.json is not followed, in a directory or an archive, and stays a link."""
    top = make_memory(tmp_path / "memory", 4)
    (tmp_path / "other").write_text(json.dumps({"backup_id": NAME, "backup_name": "stolen"}))
    (top / "manifest.json").symlink_to(tmp_path / "other")
    for what in (tar(tmp_path, "memory"), top):
        result = imported(repository, what)
        assert (result.snapshot.record.name, b"manifest.json" in paths_of(repository, result.snapshot)) == ("", True)


def test_a_deep_chain_of_directories(repository: Repository) -> None:
    """A thousand directories around nothing are gone through without trouble."""
    deep = b"/".join([b"d"] * 1000)
    result = imported(repository, tars.archive(tars.pax({b"path": deep + b"/entities/x"}) + tars.member(b"x", b"1")))
    assert result.below == deep
    assert paths_of(repository, result.snapshot) == [b"entities", b"entities/x"]


def test_a_listing_with_more_names(repository: Repository) -> None:
    """A hard link to SHA256SUMS is a file of the memory, and stays one when the listing itself is taken out."""
    listing = backup_listing({"entities/x": b"1"})
    links = [tars.member(name, typeflag=tars.LINK, link=b"SHA256SUMS") for name in (b"y", b"z")]
    data = tars.archive(tars.member(b"entities/x", b"1"), tars.member(b"SHA256SUMS", listing), *links)
    result = imported(repository, data)
    assert contents(repository, result.snapshot) == {"entities/x": b"1", "y": listing, "z": listing}
    assert not verify(repository).findings
