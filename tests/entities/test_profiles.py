"""profiles: how a memory is recognised, and which of its files hold records."""

from __future__ import annotations

import pytest

from icc_store.entities.profiles import BY_NAME, GENERIC, PROFILES, RecordFormat, recognise


@pytest.mark.parametrize(
    ("names", "profile"),
    [
        ({b"entities", b"indexes", b"config"}, "icc"),
        ({b"entities"}, "icc"),
        ({b"settings.json", b"projects", b"plans"}, "claude-code"),
        ({b"config.toml", b"sessions", b"AGENTS.md"}, "codex"),
        ({b"GEMINI.md", b"settings.json", b"tmp"}, "gemini"),
        ({b"memory.db", b"memory.db-wal"}, "basic-memory"),
        ({b"projects"}, "generic"),
        (set(), "generic"),
    ],
)
def test_a_memory_is_recognised_by_its_root(names: set[bytes], profile: str) -> None:
    """By names that stand together; what fits nothing is just a directory."""
    assert recognise(names).name == profile


@pytest.mark.parametrize(
    ("profile", "path", "form"),
    [
        ("icc", b"entities/Learning/2026/01/x.json", RecordFormat.ENTITY),
        ("icc", b"entities/Learning/index.json", None),
        ("icc", b"notes.md", None),
        ("claude-code", b"projects/p/memory/MEMORY.md", RecordFormat.MARKDOWN),
        ("claude-code", b"projects/p/1.jsonl", None),
        ("claude-code", b"CLAUDE.md", RecordFormat.MARKDOWN),
        ("codex", b"memories/one.md", RecordFormat.MARKDOWN),
        ("gemini", b"tmp/1/memory/MEMORY.md", RecordFormat.MARKDOWN),
        ("basic-memory", b"notes/one.md", RecordFormat.MARKDOWN),
        ("generic", b"deep/one.md", RecordFormat.MARKDOWN),
        ("generic", b".obsidian/x.md", None),
        ("generic", b"memory.jsonl", RecordFormat.JSON_LINES),
        ("generic", b"\xff.md", RecordFormat.MARKDOWN),
    ],
)
def test_where_records_are(profile: str, path: bytes, form: RecordFormat | None) -> None:
    """Each profile says which of its files hold records, and in which form."""
    assert BY_NAME[profile].record_format(path) == form


def test_names_are_what_a_user_types() -> None:
    """Every profile is found by its name, the one that knows nothing last."""
    assert [BY_NAME[profile.name] for profile in PROFILES] == list(PROFILES)
    assert PROFILES[-1] is GENERIC
