"""Validation of a whole memory, on the disk and in a snapshot."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.corpora.memory import build
from icc_store.entities.findings import Severity
from icc_store.errors import SourceError, UsageError
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.operations.memory.validate import ValidationResult, validate_directory, validate_snapshot
from tests.support.damage import lose
from tests.support.entities import entity, place, text
from tests.support.live import fill, snap
from tests.support.ordinary import ordinarily
from tests.support.trees import build_deep

ERROR, WARNING = Severity.ERROR, Severity.WARNING


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated memory of 60 entities, for tests that only read it."""
    root = tmp_path_factory.mktemp("sound") / "memory"
    build(root, 60, seed=5)
    return root


@pytest.fixture
def memory(sound: Path, tmp_path: Path) -> Path:
    """The same, to be broken."""
    shutil.copytree(sound, tmp_path / "memory")
    return tmp_path / "memory"


def _learnings(memory: Path) -> list[Path]:
    return sorted((memory / "entities/Learning").rglob("Learning-*.json"))


def _path(memory: Path, file: Path) -> str:
    return str(file.relative_to(memory))


def _found(result: ValidationResult, *, severity: Severity | None = None) -> list[tuple[str, str]]:
    """Path and field of each finding."""
    return [
        (os.fsdecode(one.path), one.field) for one in result.findings if severity is None or one.severity is severity
    ]


def test_a_sound_memory_is_counted(sound: Path) -> None:
    """Nothing is found; files and entities by type are as they are on the disk."""
    result = validate_directory(sound)
    assert (result.profile.name, result.findings) == ("icc", ())
    assert (result.errors, result.warnings) == (0, 0)
    assert result.files == sum(path.is_file() for path in sound.rglob("*"))
    assert sum(result.entities.values()) == 60
    assert result.entities["Learning"] == len(_learnings(sound))


def test_injected_faults_are_all_found(memory: Path) -> None:
    """Truncated JSON, a half-written index, an id collision, a wrong folder, a leftover, a link: each is one finding.

    Errors come first, in order of paths; every other file is still looked at.
    """
    one, two, three = _learnings(memory)[-3:]
    one.write_bytes(one.read_bytes()[:100])
    copy = memory / "entities/Learning/archive" / two.name
    copy.parent.mkdir()
    shutil.copy(two, copy)  # what stands in the archive comes later in the order of names
    moved = memory / "entities/Knowledge" / three.name
    three.rename(moved)
    index = memory / "indexes/tag-index.json"
    index.write_bytes(index.read_bytes()[:-20])
    (memory / "entities/Learning/.x.json.Qz1").write_bytes(b"{")
    (memory / "entities/Pattern/latest.json").symlink_to(two)
    (memory / "other").symlink_to(memory)
    os.mkfifo(memory / "config/pipe")
    result = validate_directory(memory)
    assert _found(result, severity=ERROR) == sorted(
        [
            (_path(memory, moved), "type"),
            (_path(memory, one), ""),
            (_path(memory, copy), "id"),
            (_path(memory, index), ""),
        ]
    )
    warnings = _found(result, severity=WARNING)
    leftover, link = "entities/Learning/.x.json.Qz1", "entities/Pattern/latest.json"
    assert {(leftover, ""), (link, ""), ("other", ""), ("config/pipe", "")} <= set(warnings)
    assert ("entities/Learning/index.json", "count") in warnings
    assert [one.severity for one in result.findings] == [ERROR] * result.errors + [WARNING] * result.warnings
    assert sum(result.entities.values()) == 61


def test_its_own_backups_are_not_looked_at(memory: Path) -> None:
    """Directories `backups` and `safety` of the root, and only those, are passed over."""
    for name in ("backups", "safety", "config/backups"):
        (memory / name).mkdir()
        (memory / name / "x.json").write_bytes(b"{")
    assert _found(validate_directory(memory)) == [("config/backups/x.json", "")]


def test_what_cannot_be_read_is_a_finding() -> None:
    """A file or directory without permission is an error with the reason, and the rest is looked at."""
    ordinarily(_forbidden)


def _forbidden(place: Path) -> None:
    fill(place / "memory", {_name(stem): text(entity(stem=stem)) for stem in ("a-20250603", "b-20250603")})
    (place / "memory" / _name("a-20250603")).chmod(0)
    (place / "memory/config").mkdir()
    (place / "memory/config").chmod(0)
    (place / "memory/notes.md").write_bytes(b"")
    (place / "memory/notes.md").chmod(0)
    result = validate_directory(place / "memory")
    assert _found(result, severity=ERROR) == [("config", ""), (_name("a-20250603"), ""), ("notes.md", "")]
    assert {one.message for one in result.findings} == {"cannot be read: Permission denied"}
    assert result.entities["Learning"] == 2
    (place / "memory/config").chmod(0o755)


def _name(stem: str) -> str:
    return place(entity(stem=stem)).decode()


def test_no_depth_stops_it(tmp_path: Path) -> None:
    """Directories nested deeper than Python calls functions are gone through."""
    (tmp_path / "memory/entities").mkdir(parents=True)
    deep = build_deep(tmp_path / "memory/deep", 1200)
    result = validate_directory(tmp_path / "memory")
    assert result.files >= 1200
    assert _found(result) == [("deep", "")]
    subprocess.run(["rm", "-rf", deep], check=True)


def test_a_directory_that_is_no_memory_is_refused(tmp_path: Path) -> None:
    """Each reason has its own message; a known profile may be named for a directory that looks like nothing."""
    (tmp_path / "note.md").write_bytes(b"hello")
    with pytest.raises(SourceError, match="not a memory that is known"):
        validate_directory(tmp_path)
    with pytest.raises(SourceError, match="does not exist"):
        validate_directory(tmp_path / "missing")
    with pytest.raises(SourceError, match="is not a directory"):
        validate_directory(tmp_path / "note.md")
    with pytest.raises(SourceError, match="no directory `entities`"):
        validate_directory(tmp_path, "icc")
    with pytest.raises(UsageError, match="no profile 'x'"):
        validate_directory(tmp_path, "x")
    assert validate_directory(tmp_path, "generic").entities == {"note": 1}


def test_memories_of_other_tools(tmp_path: Path) -> None:
    """Front matter that is not YAML and lines that are not JSON are warnings; secrets and caches are not read."""
    fill(
        tmp_path,
        {
            "settings.json": b"{",
            "projects/p/memory/MEMORY.md": b"---\ntype: user\n---\n# Facts\n",
            "projects/p/memory/bad.md": b"---\ntype: [\n---\n",
            "projects/p/one.jsonl": b'{"a": 1}\n{"b":\n\n[1]\n{"c": 3',
            ".credentials.json": b"secret",
            "debug/x.jsonl": b"no",
        },
    )
    result = validate_directory(tmp_path)
    assert result.profile.name == "claude-code"
    assert result.files == 4
    assert result.entities == {"user": 1}
    assert {one.severity for one in result.findings} == {WARNING}
    assert _found(result) == [
        ("projects/p/memory/bad.md", ""),
        ("projects/p/one.jsonl", "line 2"),
        ("projects/p/one.jsonl", "line 4"),
    ]


def test_a_memory_in_json_lines(tmp_path: Path) -> None:
    """Entities and relations are counted, also where lines are longer than what is read at once."""
    large = b'{"type": "entity", "name": "n", "entityType": "person", "observations": ["%s"]}' % (b"x" * 3_000_000)
    relation = b'{"type": "relation", "from": "n", "to": "m", "relationType": "knows"}'
    (tmp_path / "memory.jsonl").write_bytes(b"\n".join((large, relation, large, b"{}", b"nonsense")) + b"\n")
    result = validate_directory(tmp_path, "generic")
    assert result.entities == {"person": 2, "relation": 1, "": 1}
    assert _found(result) == [("memory.jsonl", "line 5")]


def test_a_snapshot_is_validated_as_its_source(repository: Repository, memory: Path) -> None:
    """What is found in a stored memory is what is found on the disk, links included."""
    one, two = _learnings(memory)[:2]
    one.write_bytes(one.read_bytes()[:100])
    two.write_bytes(two.read_bytes().replace(b'"relevance_score": 0', b'"relevance_score": 7'))
    (memory / "entities/Pattern/latest.json").symlink_to(one)
    (memory / "notes").mkdir()
    (memory / "notes/large.json").write_bytes(b" " * 3_000_000)
    stored = validate_snapshot(repository, snap(repository, memory))
    live = validate_directory(memory)
    assert stored == live
    assert stored.errors == 2


def test_what_is_damaged_in_a_snapshot_is_a_finding(repository: Repository, memory: Path) -> None:
    """An entity whose bytes are gone from the repository is an error, and the others are validated."""
    snapshot = snap(repository, memory)
    clean = validate_snapshot(repository, snapshot)
    gone = _path(memory, _learnings(memory)[0])
    lose(repository, lookup(repository.objects, snapshot.record, gone.encode()).entry.chunk)
    result = validate_snapshot(repository, snapshot)
    assert clean.findings == ()
    assert result.files == clean.files
    assert _found(result, severity=ERROR) == [(gone, "")]
    assert result.findings[0].message.startswith("cannot be read: ")


def test_a_snapshot_of_no_memory_is_refused(repository: Repository, tmp_path: Path) -> None:
    """It says so, and how to say what it is."""
    fill(tmp_path / "here", {"a": b"1"})
    snapshot = snap(repository, tmp_path / "here")
    with pytest.raises(SourceError, match="no memory that is known"):
        validate_snapshot(repository, snapshot)
    with pytest.raises(UsageError, match="no profile 'x'"):
        validate_snapshot(repository, snapshot, "x")
    assert validate_snapshot(repository, snapshot, "generic").files == 1
