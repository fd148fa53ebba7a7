"""What a selection leaves out of a memory on the disk."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from icc_store.entities.profiles import BY_NAME
from icc_store.entities.select import Selection
from icc_store.errors import SourceError, UsageError
from icc_store.fs.excludes import Excludes
from icc_store.operations.memory.selection import LeftOut, left_out
from tests.support.live import fill
from tests.support.ordinary import ordinarily

ICC = BY_NAME["icc"]
HIGH = Selection(high_relevance_only=True)
CONFIG_ONLY = Selection(config_only=True)


def entity(score: float, **fields: Any) -> bytes:
    return json.dumps({"relevance_score": score} | fields).encode()


MEMORY = {
    "config/settings.json": b"{}",
    "config/.settings.json.x1": b"{",
    "relationships/knowledge-links.json": b"{}",
    "indexes/tag-index.json": b"{}",
    "entities/Learning/index.json": b"{}",
    "entities/Learning/2025/05/Learning-a-20250501.json": entity(0.9),
    "entities/Learning/2025/05/Learning-b-20250502.json": entity(0.2),
    "entities/Learning/2025/06/Learning-c-20250601.json": entity(0.1),
    "entities/Learning/2025/06/Learning-d-20250602.json": entity(0.7),
    "entities/Pattern/success/Pattern-a-success-20250501.json": entity(0.8),
    "entities/Pattern/success/.Pattern-b.json.tmp": entity(0.1),
    "entities/Pattern/notes.md": b"# notes",
    "entities/Pattern/archive/success/Pattern-c-success-20250501.json": entity(0.1, created_at="2025-05-01"),
    "README.md": b"# mine",
}


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    fill(tmp_path / "memory", MEMORY)
    return tmp_path / "memory"


def judged(root: Path, selection: Selection, profile: str = "icc", excludes: Excludes | None = None) -> LeftOut:
    return left_out(root, selection, BY_NAME[profile], excludes or Excludes())


def test_entities_are_judged_and_nothing_else(memory: Path) -> None:
    """Only entities are left out; a directory of which nothing is kept is left out as one path."""
    found = judged(memory, HIGH)
    assert sorted(found.paths) == [
        b"entities/Learning/2025/05/Learning-b-20250502.json",
        b"entities/Learning/2025/06",
        b"entities/Pattern/archive",
    ]
    assert (found.entities, found.kept, found.unjudged) == (6, 2, 0)
    gone = [name for name in MEMORY if any(name.encode().startswith(path) for path in found.paths)]
    assert (found.files, found.size) == (len(gone), sum(len(MEMORY[name]) for name in gone))
    assert found.selection == HIGH


def test_config_only(memory: Path) -> None:
    """Configuration, relationships and index files stay, whatever lies among them; all else is left out."""
    found = judged(memory, CONFIG_ONLY)
    assert sorted(found.paths) == [b"README.md", b"entities/Learning/2025", b"entities/Pattern"]
    assert (found.entities, found.kept, found.files) == (6, 0, 9)


def test_config_only_reads_no_file(memory: Path) -> None:
    """No entity is opened for it: one that is no regular file is left out like the others."""
    os.mkfifo(memory / "entities/Pattern/success/Pattern-f-success-20250501.json")
    assert judged(memory, CONFIG_ONLY).paths == judged(memory, CONFIG_ONLY).paths
    assert judged(memory, CONFIG_ONLY).entities == 7


def test_what_cannot_be_judged_is_kept(memory: Path) -> None:
    """Truncated JSON, another kind of JSON, a symbolic link and a FIFO stay, and are counted."""
    folder = memory / "entities/Learning/2025/06"
    (folder / "Learning-e-20250603.json").write_bytes(b'{"relevance_score": 0.')
    (folder / "Learning-f-20250604.json").write_bytes(b"[]")
    (folder / "Learning-g-20250605.json").symlink_to("Learning-c-20250601.json")
    os.mkfifo(folder / "Learning-h-20250606.json")
    found = judged(memory, HIGH)
    assert (found.entities, found.kept, found.unjudged) == (10, 6, 4)
    assert b"entities/Learning/2025/06/Learning-c-20250601.json" in found.paths
    assert not [path for path in found.paths if path.endswith((b"03.json", b"04.json", b"05.json", b"06.json"))]


def test_a_linked_directory_is_not_entered(memory: Path, tmp_path: Path) -> None:
    """What a symbolic link leads to is not part of the memory."""
    fill(tmp_path / "elsewhere", {"Learning-z-20250601.json": entity(0.1)})
    (memory / "entities/Learning/linked").symlink_to(tmp_path / "elsewhere")
    assert judged(memory, HIGH) == judged(memory, HIGH)
    assert judged(memory, HIGH).entities == 6
    assert b"entities/Learning/linked" not in judged(memory, HIGH).paths


def test_an_archived_entity_is_known_by_its_folder(memory: Path) -> None:
    """Being below `archive` counts as archived, for the option and for an expression."""
    for selection in (Selection(exclude_archived_before="2025-06-01"), Selection(where="not archived")):
        assert judged(memory, selection).paths == (b"entities/Pattern/archive",)
    assert judged(memory, Selection(exclude_archived_before="2025-05-01")).paths == ()


def test_what_is_excluded_is_not_looked_at(memory: Path) -> None:
    """A file that no snapshot would take counts for nothing."""
    found = judged(memory, HIGH, excludes=Excludes(["**/2025/05/"], never=[b"entities/Pattern"]))
    assert found.paths == (b"entities/Learning/2025",)
    assert (found.entities, found.kept) == (2, 0)


def unreadable_things_are_kept(place: Path) -> None:
    fill(place / "memory", MEMORY)
    (place / "memory/entities/Learning/2025/06").chmod(0)
    (place / "memory/entities/Pattern/success").chmod(0o400)
    (place / "memory/entities/Learning/2025/05/Learning-b-20250502.json").chmod(0)
    found = judged(place / "memory", HIGH)
    assert found.paths == (b"entities/Pattern/archive",)
    assert (found.entities, found.kept, found.unjudged) == (3, 2, 1)


def test_unreadable_things_are_kept() -> None:
    """What this user may not read is not left out, so that the snapshot tells of it."""
    ordinarily(unreadable_things_are_kept)


def test_a_type_that_does_not_exist(memory: Path) -> None:
    """A misspelt type is wrong usage, and the types are told."""
    with pytest.raises(UsageError, match=r"no entities of type 'Lerning'.*Learning, Pattern, Project, Knowledge"):
        judged(memory, Selection(types=("Lerning",)))
    assert judged(memory, Selection(types=("TaskLearning",))).kept == 0


def test_an_empty_memory(tmp_path: Path) -> None:
    """There is nothing to leave out of a memory without entities, and that is no error."""
    fill(tmp_path / "memory", {"entities/Learning/index.json": b"{}"})
    found = judged(tmp_path / "memory", HIGH)
    assert (found.paths, found.entities) == ((), 0)


def test_markdown_by_front_matter(tmp_path: Path) -> None:
    """Notes are selected by their front matter; what is no note of the profile is stored as it is."""
    notes = {
        "a.md": b"---\ntype: guide\ntags: [cache]\nrelevance_score: 0.9\n---\n# A\n",
        "b.md": b"---\ntype: guide\ntags: [web]\n---\n# B\n",
        "c/plain.md": b"# no front matter\n",
        "c/broken.md": b"---\n: [\n---\n",
        "picture.png": b"\x89PNG",
        ".obsidian/x.md": b"# not a note",
        "memory.jsonl": b'{"type": "entity", "name": "x", "entityType": "guide", "observations": []}\n',
    }
    fill(tmp_path / "notes", notes)
    for selection, gone in (
        (Selection(tags=("cache",)), [b"b.md", b"c/plain.md", b"memory.jsonl"]),
        (HIGH, [b"b.md", b"c/plain.md", b"memory.jsonl"]),
        (Selection(types=("guide",)), [b"c/plain.md"]),
        (Selection(where="type = 'note' or name = 'x'"), [b"a.md", b"b.md"]),
    ):
        found = judged(tmp_path / "notes", selection, "generic")
        assert sorted(found.paths) == gone
        assert (found.entities, found.unjudged) == (5, 1)


def test_nothing_to_select_from(tmp_path: Path) -> None:
    """A directory without any record, and --config-only of what is no icc memory, are refused, saying why."""
    fill(tmp_path / "photos", {"a.jpg": b"1"})
    with pytest.raises(UsageError, match=r"holds no records to select from"):
        judged(tmp_path / "photos", HIGH, "generic")
    with pytest.raises(UsageError, match=r"--config-only is for memories of the icc layout"):
        judged(tmp_path / "photos", CONFIG_ONLY, "claude-code")
    with pytest.raises(SourceError, match=r"cannot be looked through"):
        judged(tmp_path / "photos/a.jpg", HIGH)
