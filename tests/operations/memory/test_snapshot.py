"""Snapshots of memories: watched while they are scanned, validated afterwards, with a manifest that is right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from icc_store.entities.findings import Severity
from icc_store.entities.select import Selection
from icc_store.errors import BlockDamaged, DiskFull, SourceError, UsageError
from icc_store.ids import Kind
from icc_store.model.record import SnapshotClass
from icc_store.model.repository import Repository
from icc_store.monitor import Monitor
from icc_store.operations.memory.manifest import manifest_of, notes_of, rebuild_manifest
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.store.protocol import Table
from tests.support.entities import entity_file
from tests.support.live import OLD, clean, contents, fill, put, shoot, snap
from tests.support.memories import MEMORY
from tests.support.shelf import noise

RACY = 2.1
"""Seconds after which what was written is no longer read again for being young."""

ENTITY, BYTES = entity_file("fact1-20250603")


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    top = tmp_path / "memory"
    fill(top, MEMORY)
    return top


def sha256_of_listing(top: Path) -> str:
    """What coreutils say of all files, in the order of LC_ALL=C."""
    script = "find . -type f -printf '%P\\0' | sort -z | xargs -0 sha256sum | sha256sum"
    done = subprocess.run(
        ["bash", "-c", script], cwd=top, env=os.environ | {"LC_ALL": "C"}, capture_output=True, check=True
    )
    return "sha256:" + done.stdout.decode().split()[0]


def rows(repository: Repository) -> dict[bytes, bytes]:
    """The rows that runs left for the next one."""
    repository.objects.renew()
    return dict(repository.objects.transaction.items(Table.SEEN))


def test_a_manifest_has_the_twelve_keys_and_ours(repository: Repository, memory: Path) -> None:
    """In the order of the memory system, with what is in the memory."""
    manifest = manifest_of(snap(repository, memory, name="first"))
    assert manifest is not None
    assert list(manifest) == [
        "backup_id", "created_at", "backup_name", "system_version", "total_entities", "entities_by_type",
        "total_size_mb", "compressed_size_mb", "integrity_hash", "backup_duration_ms", "files_backed_up",
        "validation_passed", "icc_store",
    ]  # fmt: skip
    assert manifest["backup_id"] == "backup-20260921-141320"
    assert manifest["created_at"] == "2026-09-21T14:13:20Z"
    assert (manifest["backup_name"], manifest["system_version"]) == ("first", "2.0")
    assert manifest["total_entities"] == 3
    assert manifest["entities_by_type"] == {"Learning": 3, "Pattern": 0, "Project": 0, "Knowledge": 0}
    assert manifest["files_backed_up"] == len(MEMORY)
    assert manifest["total_size_mb"] == round(sum(map(len, MEMORY.values())) / 1e6, 6)
    assert 0 < manifest["compressed_size_mb"] < 1
    assert manifest["validation_passed"] is True
    assert manifest["icc_store"]["profile"] == "icc"
    json.dumps(manifest)


@pytest.mark.parametrize("step", ["first", "unchanged", "changed", "moved", "removed"])
def test_the_integrity_hash_is_that_of_coreutils(repository: Repository, memory: Path, step: str) -> None:
    """Whether a file was read in this run or in one before."""
    fill(memory, MEMORY | {"a/x": b"1", "a.b": b"2", "a b/c": b"", "back\\slash": b"3", "large": noise(1, 3 << 20)})
    if step != "first":
        snap(repository, memory)
    if step == "changed":
        put(memory / ENTITY, BYTES.replace(b"0.5", b"0.9"), mtime_ns=OLD + 5)
    elif step == "moved":
        (memory / "a.b").rename(memory / "entities/a.b")
    elif step == "removed":
        shutil.rmtree(memory / "a b")
    manifest = manifest_of(snap(repository, memory))
    assert manifest is not None
    assert manifest["integrity_hash"] == sha256_of_listing(memory)


def test_an_unchanged_file_is_not_read_again(repository: Repository, memory: Path) -> None:
    """Its digest and what was found in it stand in the row of its directory."""
    fill(memory, MEMORY | {"entities/Learning/2025/06/broken.json": b"{"})
    time.sleep(RACY)
    first = shoot(repository, memory)
    put(memory / "notes\nof two lines.md", b"changed", mtime_ns=OLD + 5)
    second = shoot(repository, memory)
    assert second.counters.read_bytes == len(b"changed")
    assert [finding.path for finding in second.findings] == [finding.path for finding in first.findings] != []


def test_without_its_row_a_directory_is_read_again(repository: Repository, memory: Path) -> None:
    """A snapshot without a profile leaves no facts, and the next with one gets them from the files."""
    snap(repository, memory, profile="generic")
    assert not [key for key in rows(repository) if key.startswith(b"facts")]
    result = shoot(repository, memory)
    assert result.counters.read_bytes == sum(map(len, MEMORY.values()))
    assert result.counters.added_plain == 0
    manifest = manifest_of(result.snapshot) if result.snapshot else None
    assert manifest is not None
    assert manifest["integrity_hash"] == sha256_of_listing(memory)


def test_rows_of_former_states_go(repository: Repository, memory: Path) -> None:
    """There is one row of facts for each part of a directory, however often it changes."""
    counts = []
    for number in range(4):
        put(memory / ENTITY, BYTES.replace(b"0.5", b"0.%d" % number), mtime_ns=OLD + number)
        snap(repository, memory)
        counts.append(sum(key.startswith(b"facts") for key in rows(repository)))
    assert len(set(counts)) == 1
    clean(repository)
    assert sum(key.startswith(b"facts") for key in rows(repository)) == counts[0]


def test_a_broken_file_is_stored_and_reported(repository: Repository, memory: Path) -> None:
    """Byte for byte, with file and field; the backup itself has passed."""
    fill(memory, MEMORY | {ENTITY: BYTES[:-40]})
    result = shoot(repository, memory)
    assert result.snapshot is not None
    assert contents(repository, result.snapshot)[ENTITY] == BYTES[:-40]
    errors = [finding for finding in result.findings if finding.severity is Severity.ERROR]
    assert [finding.path for finding in errors] == [ENTITY.encode()]
    notes = notes_of(result.snapshot)
    assert notes is not None
    assert (notes["findings"][0], notes["passed"]) == (1, True)


class Meddler(Monitor):
    """Does something to the source when validation after the backup begins."""

    def __init__(self, act: object) -> None:
        self.act = act

    def phase(self, name: str) -> None:
        if name == "check" and callable(self.act):
            self.act()


@pytest.mark.parametrize("changed", [False, True])
def test_an_entity_that_is_not_in_the_source_is_named(repository: Repository, memory: Path, changed: bool) -> None:
    """The snapshot is kept, and marked as not validated."""
    if changed:
        snap(repository, memory)

    def remove() -> None:
        (memory / ENTITY).unlink()
        os.utime((memory / ENTITY).parent, ns=(OLD, OLD))

    result = take_snapshot(repository, [memory], options=SnapshotOptions(), monitor=Meddler(remove))
    assert result.snapshot is not None
    manifest = manifest_of(result.snapshot)
    assert manifest is not None
    assert manifest["validation_passed"] is False
    assert manifest["icc_store"]["failures"] == [f"{ENTITY}: in the snapshot, not in the source"]


def test_what_is_written_meanwhile_is_no_difference(repository: Repository, memory: Path) -> None:
    """An entity stored while the snapshot is taken is news for the next one."""

    def add() -> None:
        put(memory / "entities/Learning/2025/06/Learning-new-20250604.json", BYTES)

    result = take_snapshot(repository, [memory], options=SnapshotOptions(), monitor=Meddler(add))
    assert result.notes is not None
    assert result.notes["passed"] is True


def test_a_manifest_that_cannot_be_made_is_made_later(repository: Repository, memory: Path) -> None:
    """The snapshot is kept and names what cannot be read; `rebuild_manifest` makes it once that can be."""
    fill(memory, MEMORY | {"indexes/content-index.json": b'{"entity_count": 3, "index": {"entities": {}}}'})
    snap(repository, memory)
    put(memory / ENTITY, BYTES.replace(b"0.5", b"0.9"), mtime_ns=OLD + 5)
    index = repository.objects.get
    blocked = {"on": True}

    def get(identity: object, kind: int) -> bytes:
        data = index(identity, kind)  # type: ignore[arg-type]
        if blocked["on"] and kind == Kind.CHUNK and b"entity_count" in data:
            raise BlockDamaged("block 7 cannot be read")
        return data

    repository.objects.get = get  # type: ignore[method-assign]
    result = take_snapshot(repository, [memory], options=SnapshotOptions())
    assert result.snapshot is not None
    assert manifest_of(result.snapshot) is None
    assert "block 7" in (notes_of(result.snapshot) or {})["error"]
    blocked["on"] = False
    rebuild_manifest(repository, result.snapshot)
    manifest = manifest_of(repository.snapshot(result.snapshot.id))
    assert manifest is not None
    assert manifest["integrity_hash"] == sha256_of_listing(memory)
    assert manifest["icc_store"]["findings"]["warnings"] > 0


def test_a_directory_that_is_no_memory_has_no_manifest(repository: Repository, tmp_path: Path) -> None:
    """Nothing is known of it, and making one is refused."""
    fill(tmp_path / "notes", {"one.txt": b"1"})
    taken = snap(repository, tmp_path / "notes")
    assert manifest_of(taken) is None
    with pytest.raises(UsageError, match="of no memory that is known"):
        rebuild_manifest(repository, taken)


def test_an_incremental_snapshot_needs_a_full_one(repository: Repository, memory: Path) -> None:
    """It is refused with an offer; after a full one it says what it follows, and holds everything as well."""
    with pytest.raises(SourceError, match="without --incremental"):
        shoot(repository, memory, incremental=True)
    assert repository.snapshots() == []
    full = snap(repository, memory)
    put(memory / ENTITY, BYTES.replace(b"0.5", b"0.9"), mtime_ns=OLD + 5)
    result = shoot(repository, memory, incremental=True)
    assert result.snapshot is not None
    assert result.since is not None
    assert result.since.id == full.id
    assert result.snapshot.record.kind is SnapshotClass.FULL
    assert len(contents(repository, result.snapshot)) == len(MEMORY)
    assert (notes_of(result.snapshot) or {})["incremental"] == full.id.hex()


def test_a_selective_snapshot_leaves_the_full_ones_alone(repository: Repository, memory: Path) -> None:
    """It is nobody's parent, holds what was chosen, and what it saw is not taken for all there is."""
    full = snap(repository, memory)
    before = rows(repository)
    chosen = shoot(repository, memory, selection=Selection(types=("Pattern",)))
    assert chosen.snapshot is not None
    assert chosen.snapshot.record.kind is SnapshotClass.SELECTIVE
    assert set(contents(repository, chosen.snapshot)) == {path for path in MEMORY if not path.startswith("entities")}
    assert rows(repository) == before
    assert (notes_of(chosen.snapshot) or {})["left_out"] == 3
    third = shoot(repository, memory)
    assert third.parent is not None
    assert third.parent.id == full.id
    assert third.unchanged


def test_secrets_of_a_profile_are_told_and_never_stored(repository: Repository, tmp_path: Path) -> None:
    """Nobody's pattern takes them back."""
    top = tmp_path / "claude"
    fill(top, {"settings.json": b"{}", "projects/p/1.jsonl": b"{}\n", ".credentials.json": b"secret"})
    result = shoot(repository, top, exclude=("!.credentials.json",))
    assert result.profile == "claude-code"
    assert result.withheld == (b".credentials.json",)
    assert result.snapshot is not None
    assert set(contents(repository, result.snapshot)) == {"settings.json", "projects/p/1.jsonl"}
    manifest = manifest_of(result.snapshot)
    assert manifest is not None
    assert manifest["icc_store"]["withheld"] == [".credentials.json"]


def test_a_profile_that_does_not_fit_is_refused(repository: Repository, tmp_path: Path) -> None:
    """With what is missing; an unknown name with those that are known."""
    fill(tmp_path / "notes", {"one.txt": b"1"})
    with pytest.raises(SourceError, match="no directory `entities`"):
        shoot(repository, tmp_path / "notes", profile="icc")
    with pytest.raises(UsageError, match="claude-code"):
        shoot(repository, tmp_path / "notes", profile="claude")
    with pytest.raises(UsageError, match="whole directory"):
        shoot(repository, tmp_path / "notes/one.txt", profile="codex")


def test_room_is_asked_for_before_and_during_a_run(
    repository: Repository, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is stored where less is free than is to be kept free; what is told names both.

    The disk is one of 20 MiB that holds the database alone, since others write to the real one meanwhile.
    """
    real, block = os.statvfs, 4096

    def small_disk(path: Path) -> object:
        free = (20 << 20) - (repository.path / "data.mdb").stat().st_blocks * 512
        return SimpleNamespace(f_bavail=free // block, f_frsize=block, f_flag=real(path).f_flag)

    monkeypatch.setattr(os, "statvfs", small_disk)
    with pytest.raises(DiskFull, match="to be kept free"):
        shoot(repository, memory, min_free=21 << 20)
    put(memory / "large", noise(1, 24 << 20))
    with pytest.raises(DiskFull, match="are needed"):
        shoot(repository, memory, min_free=8 << 20)
    assert repository.snapshots() == []
    monkeypatch.undo()
    snap(repository, memory)


def test_every_block_is_read_back(repository: Repository, memory: Path) -> None:
    """One that is not what it should be, once it is committed, is named in the manifest."""

    def spoil() -> None:
        with repository.store.write() as txn:
            txn.append_block(b"no block at all")

    result = take_snapshot(repository, [memory], options=SnapshotOptions(), monitor=Meddler(spoil))
    assert result.notes is not None
    assert result.notes["passed"] is False
    assert result.notes["failures"] == ["block 1: a block is shorter than its header"]


def test_a_sample_is_read_back_and_parsed(repository: Repository, memory: Path) -> None:
    """An entity that comes out of the repository as no JSON, though it went in as some, is named."""
    read = repository.objects.get

    def get(identity: object, kind: int) -> bytes:
        data = read(identity, kind)  # type: ignore[arg-type]
        return b"{" + data[1:].replace(b'"', b"'", 1) if data == BYTES else data

    repository.objects.get = get  # type: ignore[method-assign]
    result = take_snapshot(repository, [memory], options=SnapshotOptions())
    assert result.notes is not None
    assert [failure.partition(": ")[0] for failure in result.notes["failures"]] == [ENTITY]
    assert result.notes["passed"] is False


@pytest.mark.parametrize(
    ("root", "secret", "kept"),
    [
        ("home", ".claude/.credentials.json", ".claude/CLAUDE.md"),
        ("home", "deep/.codex/auth.json", "deep/auth.json"),
        ("home", ".gemini/mcp-oauth-tokens.json", ".gemini/tokens.json"),
        (".claude", ".credentials.json", "CLAUDE.md"),
    ],
)
def test_credentials_of_known_tools_are_never_stored(
    repository: Repository, tmp_path: Path, root: str, secret: str, kept: str
) -> None:
    """Wherever their directories stand; not for who says that it is just a directory."""
    fill(tmp_path / root, {secret: b"secret", kept: b"kept"})
    result = shoot(repository, tmp_path / root)
    assert result.withheld == (secret.encode(),)
    assert result.snapshot is not None
    assert set(contents(repository, result.snapshot)) == {kept}
    assert result.snapshot.record.exclusions["never"] == [secret.encode()]
    plain = snap(repository, tmp_path / root, profile="generic")
    assert set(contents(repository, plain)) == {kept, secret}


def test_what_failed_once_is_looked_at_again(repository: Repository, memory: Path) -> None:
    """An unchanged memory is not said to be whole because only the blocks of this run were read back."""
    read = repository.objects.get

    def get(identity: object, kind: int) -> bytes:
        data = read(identity, kind)  # type: ignore[arg-type]
        return b"{" + data[1:].replace(b'"', b"'", 1) if data == BYTES else data

    repository.objects.get = get  # type: ignore[method-assign]
    for _ in range(2):
        notes = take_snapshot(repository, [memory], options=SnapshotOptions()).notes or {}
        assert notes["passed"] is False
        assert [failure.partition(": ")[0] for failure in notes["failures"]] == [ENTITY]
    repository.objects.get = read  # type: ignore[method-assign]
    assert (take_snapshot(repository, [memory], options=SnapshotOptions()).notes or {})["passed"] is True
