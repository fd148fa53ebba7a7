"""What stands in a file of the user's is in the repository and where it is restored to, and nowhere else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.bounded import one_after_another
from tests.support.entities import entity_file
from tests.support.memories import MEMORY
from tests.support.planted import Phrases, plant_icc, plant_notes
from tests.support.program import Program

SECRET = "Xyzzy-plugh-4711"


def test_no_content_in_logs_reports_or_messages(tmp_path: Path) -> None:
    """A word that stands in files of every sort, sound and broken, is in no output, log, report or state file."""
    memory, homes = tmp_path / "memory", tmp_path / "homes"
    name, data = entity_file("secret-20250603")
    broken = {
        name: json.dumps(json.loads(data) | {"relevance_score": SECRET, "created_at": SECRET, "tags": [5]}).encode(),
        "entities/Learning/2025/06/Learning-cut-20250603.json": b'{"id": "' + SECRET.encode(),
        "notes/broken.md": f"---\na: [{SECRET}\n---\n".encode(),
        "indexes/tag-index.json": f'{{"index": "{SECRET}"}}'.encode(),
        "relationships/knowledge-links.json": f'["{SECRET}"]'.encode(),
        "keys.md": f"password: {SECRET}a1B2c3D4e5\n".encode(),
        "not-a-database.db": b"SQLite format 3\0" + SECRET.encode(),
    }
    for path, content in (MEMORY | broken).items():
        (memory / path).parent.mkdir(parents=True, exist_ok=True)
        (memory / path).write_bytes(content)
    environ = {f"XDG_{one}_HOME": str(homes / one) for one in ("STATE", "CACHE", "CONFIG", "DATA")}
    program = Program(tmp_path / "store", os.environ | environ | {"HOME": str(homes)})
    commands = [
        ["init"],
        ["-v", "snapshot", str(memory), "--scan-secrets"],
        ["-v", "validate", str(memory)],
        ["-v", "verify"],
        ["-v", "drill"],
        ["gc", "--explain"],
        ["-v", "restore", "latest", "--target", str(tmp_path / "back"), "--yes"],
        ["manifest", "latest"],
        ["show", "latest"],
        ["health"],
        ["stats"],
    ]
    for arguments, done in zip(commands, one_after_another(program, commands), strict=True):
        assert SECRET not in done.out + done.err, arguments
    for path in homes.rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes(), path
    assert (tmp_path / "back" / "keys.md").read_bytes() == broken["keys.md"]


@pytest.mark.slow
@pytest.mark.parametrize("plant", [plant_icc, plant_notes])
def test_no_value_of_a_memory_is_told(tmp_path: Path, plant: Callable[[Path, Phrases], Path]) -> None:
    """No phrase from any value, sound or wrong, comes out of a command but those that are asked for contents."""
    phrases, homes = Phrases(), tmp_path / "homes"
    memory = str(plant(tmp_path / "memory", phrases))
    environ = {f"XDG_{one}_HOME": str(homes / one) for one in ("STATE", "CACHE", "CONFIG", "DATA")}
    program = Program(tmp_path / "store", os.environ | environ | {"HOME": str(homes)})
    back = str(tmp_path / "back")
    commands = [
        ["init"],
        ["-v", "--progress", "json", "snapshot", memory, "--name", "first", "--scan-secrets"],
        ["--json", "snapshot", memory, "--rehash", "--scan-secrets"],
        ["snapshot", memory, "--where", "relevance_score > 0.5"],
        ["-v", "snapshot", memory, "--high-relevance-only"],
        ["-v", "validate", memory],
        ["--json", "validate", memory],
        ["--json", "validate", "--snapshot", "first"],
        ["manifest", "first"],
        ["--json", "show", "first"],
        ["ls", "first"],
        ["list"],
        ["find", "*"],
        ["diff", "first", "latest"],
        ["-v", "drill", "first"],
        ["--json", "hook", "pre-reset", memory],
        ["-v", "run-due", memory],
        ["-v", "restore", "first", "--target", back, "--yes"],
        ["--json", "restore", "first", "--target", back, "--rebuild-indexes", "--yes"],
        ["restore", "first", "--target", back, "--dry-run"],
        ["export", "first", "--directory", str(tmp_path / "out")],
        ["export", "first", "--tar", str(tmp_path / "out.tar")],
        ["-v", "import", str(tmp_path / "out.tar")],
        ["-v", "validate", memory, "--fix-indexes"],
        ["--json", "health"],
        ["stats"],
        ["-v", "verify"],
        ["-v", "gc", "--now"],
        ["-v", "optimize"],
        ["repair", "--dry-run"],
        ["salvage", str(tmp_path / "store"), str(tmp_path / "salvaged")],
        ["-v", "copy", str(tmp_path / "copy")],
    ]
    for arguments, done in zip(commands, one_after_another(program, commands), strict=True):
        assert phrases.found_in(done.out + done.err) == set(), arguments
        assert done.code in {0, 1, 2, 3, 7}, (arguments, done)
    for path in homes.rglob("*"):
        assert path.is_dir() or phrases.found_in(path.read_text("latin-1")) == set(), path
    assert phrases.found_in((Path(back) / "keys.md").read_text("latin-1")) == {"a password"}
