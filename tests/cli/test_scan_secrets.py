"""`snapshot --scan-secrets`: keys are told by file, field and kind, and by nothing of themselves."""

from __future__ import annotations

import json
import os
import random
import string
import time
from pathlib import Path

import pytest

from icc_store.cli import memory_report
from tests.support.live import fill
from tests.support.program import Program

KEY = "ghp_" + "".join(random.Random(3).choices(string.ascii_letters + string.digits, k=36))
"""Made here, so that none stands in this file."""


def entity(text: str) -> bytes:
    fields = {"id": "Learning-x-20250601", "type": "Learning", "created_at": "2025-06-01T00:00:00Z"}
    return json.dumps(fields | {"observations": ["nothing", text]}, indent=2).encode()


PATH = "entities/Learning/2025/06/Learning-x-20250601.json"


@pytest.fixture
def program(tmp_path: Path) -> Program:
    program = Program(tmp_path / "repository", os.environ | {"HOME": str(tmp_path / "home")})
    program.good("init", "-q")
    return program


def test_a_key_is_told_and_not_shown(program: Program, tmp_path: Path) -> None:
    """stderr and JSON name the file, the field and the kind; no output, log or record holds any part of the key."""
    fill(tmp_path / "memory", {PATH: entity(f"use {KEY} here"), "config/settings.json": b"{}"})
    done = program("snapshot", tmp_path / "memory", "--scan-secrets", "-vv")
    assert done.code == 0
    assert f"{PATH}: warning: observations[1]: looks like a GitHub token" in done.err
    said = program("snapshot", tmp_path / "memory", "--scan-secrets", "--rehash", "--json")
    assert said.document["memory"]["secrets"] == [
        {"severity": "warning", "path": PATH, "field": "observations[1]", "message": "looks like a GitHub token"}
    ]
    assert set(said.document["memory"]) == set(memory_report.MEMORY)
    shown = done.out + done.err + said.out + said.err
    shown += "".join(program("manifest", "latest").out + program("show", "latest", "--json").out)
    for start in range(4, len(KEY) - 6):
        assert KEY[start : start + 6] not in shown


def test_new_and_changed_files_are_searched(program: Program, tmp_path: Path) -> None:
    """What is unchanged is not searched again, but with --rehash; without the option nothing is searched."""
    memory = tmp_path / "memory"
    other = PATH.replace("-x-", "-y-")
    fill(memory, {PATH: entity(KEY), other: entity("plain"), "config/settings.json": b"{}"})
    time.sleep(2.1)  # what is younger than two seconds is read again, whatever its times say

    def found(*options: str) -> list[str]:
        done = program("snapshot", memory, "--json", *options)
        return [one["path"] for one in done.document["memory"]["secrets"]]

    assert found() == []
    assert found("--scan-secrets") == []
    assert found("--scan-secrets", "--rehash") == [PATH]
    (memory / other).write_bytes(entity(f"and {KEY}"))
    assert found("--scan-secrets") == [other]


def test_markdown_memories_are_searched(program: Program, tmp_path: Path) -> None:
    """Of a memory of Markdown files, the line is named."""
    fill(tmp_path / "codex", {"config.toml": b"", "sessions/x": b"", "memories/MEMORY.md": f"# A\n\n{KEY}\n".encode()})
    done = program("snapshot", tmp_path / "codex", "--scan-secrets")
    assert done.code == 0
    assert "memories/MEMORY.md: warning: line 3: looks like a GitHub token" in done.err
