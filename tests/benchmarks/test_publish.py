"""What was measured gets into the document, and nothing else of it is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import publish, results
from benchmarks.scenarios.memory import FIRST
from tests.benchmarks.conftest import MakeResult

MACHINE = {"commit": "abc1234", "load_at_start": 0.5}
DOCUMENT = """# Benchmarks

What people wrote.

<!-- begin targets -->
old
<!-- end targets -->

Between.

<!-- begin plots -->
<!-- end plots -->
<!-- begin tables -->
older
<!-- end tables -->

The end.
"""


def test_results_are_read_back_as_written(tmp_path: Path, made_up: MakeResult) -> None:
    """JSON keeps all of a result; one that knew no floors yet can be read as well."""
    result = made_up("memory-5", {FIRST: {"icc-store": 1.0}}, {"then": {"icc-store": 5}}, {"walk + stat": 1.0})
    result.write(tmp_path / "result.json", MACHINE)
    assert results.read(tmp_path / "result.json") == (result, MACHINE)
    old = {"scenario": "s", "facts": {}, "machine": {}, "samples": [], "sizes": [], "problems": []}
    (tmp_path / "old.json").write_text(json.dumps(old))
    assert results.read(tmp_path / "old.json")[0].floors == []


def test_the_newest_full_result_counts(tmp_path: Path, made_up: MakeResult) -> None:
    """Of two results of one scenario the one begun later is shown, and no quick one."""
    for day, name in (("01", "a"), ("03", "b"), ("02", "c"), ("09", "d-quick")):
        result = made_up("memory-5", {FIRST: {"icc-store": float(day)}})
        result.facts["started"] = f"2026-01-{day}T00:00:00+00:00"
        result.write(tmp_path / f"{name}.json", MACHINE)
    assert [one.result.wall(FIRST, "icc-store") for one in publish.newest(tmp_path)] == [3.0]


def test_only_what_stands_between_the_marks_changes(tmp_path: Path, made_up: MakeResult) -> None:
    """The document keeps what people wrote, and gets targets, plots and tables; a second time changes nothing."""
    document = tmp_path / "benchmarks.md"
    document.write_text(DOCUMENT)
    made_up("memory-100000", {FIRST: {"icc-store": 1.0, "restic": 5.0}}).write(tmp_path / "result.json", MACHINE)
    arguments = [str(tmp_path / "result.json"), "--document", str(document)]
    publish.main(arguments)
    text = document.read_text()
    assert all(part in text for part in ("What people wrote.", "Between.", "The end.", "5.00x", "### memory-100000"))
    assert "old" not in text.replace("memory-100000", "")
    assert (tmp_path / "benchmark-plots" / "speed-memory-100000.svg").exists()
    assert "](benchmark-plots/speed-memory-100000.svg)" in text
    publish.main(arguments)
    assert document.read_text() == text


def test_a_document_without_marks_is_left_alone() -> None:
    """Where the marks are missing, that is said, and nothing is written in some other place."""
    with pytest.raises(LookupError, match="tables"):
        publish.replace_blocks("no marks", {"tables": "text"})


def test_the_document_of_the_project_has_its_marks() -> None:
    """The document that the results go to has a place for each of them."""
    text = publish.DOCUMENT.read_text()
    assert publish.replace_blocks(text, dict.fromkeys(("targets", "plots", "tables"), "x")) != text
