"""places: where memories are, and what a backup of them leaves out."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.entities.profiles import BY_NAME
from icc_store.fs.excludes import Excludes
from icc_store.operations.memory.places import default_memory, known_memories


def test_nothing_here(tmp_path: Path) -> None:
    """A home without any agent has no memories."""
    assert known_memories(tmp_path, {}) == []


def test_memories_found(tmp_path: Path) -> None:
    """Each agent's directory is found where it is, the default memory first; a file in its place is none."""
    for name in (".claude/memory", ".codex", ".basic-memory", "basic-memory"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / ".gemini").touch()
    found = known_memories(tmp_path, {})
    assert [path.relative_to(tmp_path).as_posix() for _, path in found] == [
        ".claude/memory",
        ".claude",
        ".codex",
        ".basic-memory",
        "basic-memory",
    ]
    assert found[0] == (BY_NAME["icc"], default_memory(tmp_path))


def test_the_environment_moves_them(tmp_path: Path) -> None:
    """The variables that move the agents' directories are followed, as far as they are handed in."""
    (tmp_path / "elsewhere").mkdir()
    for variable in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "BASIC_MEMORY_HOME"):
        found = known_memories(tmp_path, {variable: str(tmp_path / "elsewhere")})
        assert [path for _, path in found] == [tmp_path / "elsewhere"]


@pytest.mark.parametrize(
    ("folder", "secret", "kept"),
    [
        (".claude", b".credentials.json", b"projects/p/.credentials.json.md"),
        (".codex", b"auth.json", b"sessions/2026/auth.json.jsonl"),
        (".gemini", b"mcp-oauth-tokens.json", b"settings.json"),
        (".basic-memory", b"basic-memory-cloud.json", b"memory.db"),
    ],
)
def test_secrets_are_never_stored(tmp_path: Path, folder: str, secret: bytes, kept: bytes) -> None:
    """The patterns of a memory leave out its secrets and nothing else of value."""
    (tmp_path / folder).mkdir()
    ((memory, _),) = known_memories(tmp_path, {})
    excludes = Excludes(memory.skip, secrets=memory.never_store)
    assert excludes.leaves_out(secret, False)
    assert not excludes.leaves_out(kept, False)


def test_what_is_made_again_is_skipped(tmp_path: Path) -> None:
    """Caches at the top are skipped; directories of the same name deeper down are the user's."""
    (tmp_path / ".claude").mkdir()
    ((memory, _),) = known_memories(tmp_path, {})
    excludes = Excludes(memory.skip)
    assert excludes.leaves_out(b"shell-snapshots/x.sh", False)
    assert excludes.leaves_out(b"plugins/cache/x", False)
    assert not excludes.leaves_out(b"projects/p/memory/cache/MEMORY.md", False)
