"""`icc-store optimize`, as a process: what it prints, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.live import fill
from tests.support.program import Program
from tests.support.shelf import words


def test_a_dry_run_then_the_run_then_nothing_to_do(program: Program, tmp_path: Path) -> None:
    """The plan says what the run does, the file gets smaller, a second run says that there is nothing to do."""
    texts = [words(number, 1000) for number in range(80)]
    for day in range(4):
        fill(tmp_path / "notes", {f"{each}.md": text + b"%d" % day for each, text in enumerate(texts)})
        program.good("snapshot", tmp_path / "notes", "--source", "notes")
    plan = json.loads(program.good("optimize", "--level", "9", "--dry-run", "--json").out)
    before = program.good("cat", "latest", "7.md", "--source", "notes").out
    done = json.loads(program.good("optimize", "--level", "9", "--compact", "--json").out)
    assert plan["dry_run"]
    assert not done["dry_run"]
    for name in ("objects", "blocks", "bytes_before", "bytes_after"):
        assert plan[name] == done[name]
    assert done["complete"]
    assert done["bytes_after"] < done["bytes_before"]
    assert program.good("cat", "latest", "7.md", "--source", "notes").out == before
    assert "nothing was added" in program.good("optimize").out
    program.good("verify")
