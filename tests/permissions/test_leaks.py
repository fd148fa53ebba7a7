"""What stands in a file of the user's is in the repository and where it is restored to, and nowhere else."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.support.bounded import one_after_another
from tests.support.entities import entity_file
from tests.support.memories import MEMORY
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
