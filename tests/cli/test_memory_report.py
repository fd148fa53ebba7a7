"""memory_report: what a snapshot says of the memory it was taken of, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from icc_store.cli.memory_report import memory_fields, memory_lines, memory_warnings, require_sound
from icc_store.entities.findings import error, warning
from icc_store.errors import PartialResult
from icc_store.model.record import Counters
from icc_store.operations.snapshot import SnapshotResult

NOTES = {
    "profile": "icc",
    "version": "1.0",
    "entities": {"Learning": 2, "Pattern": 0},
    "digest": b"x" * 32,
    "passed": True,
}


def result(**given: Any) -> SnapshotResult:
    """What came of a snapshot of a memory."""
    made = {"snapshot": None, "parent": None, "counters": Counters(), "problems": (), "unchanged": False}
    return SnapshotResult(**(made | {"new_objects": 0, "profile": "icc", "notes": NOTES} | given))


def test_a_sound_memory_is_told_in_a_line() -> None:
    """Entities by type, those that are there; nothing on stderr, and no error."""
    assert list(memory_lines(result())) == ["  2 entities: 2 Learning"]
    assert memory_warnings(result(), verbose=True) == []
    require_sound(result())
    fields = memory_fields(result())
    assert fields["integrity_hash"] == "sha256:" + "78" * 32
    assert (fields["errors"], fields["warnings"], fields["validation_passed"]) == (0, 0, True)


def test_what_is_no_memory_says_nothing() -> None:
    """No line, and null in every field."""
    nothing = result(profile="generic", notes=None)
    assert list(memory_lines(nothing)) == []
    assert memory_fields(nothing)["entities"] is None
    require_sound(nothing)


def test_errors_are_listed_and_warnings_for_who_asks() -> None:
    """With field and severity; the summary counts both."""
    found = (error(b"a.json", "id", "missing"), warning(b"b.json", "", "odd"))
    broken = result(findings=found, notes=NOTES | {"findings": [1, 1]})
    assert memory_warnings(broken, verbose=False) == [(b"a.json", "error: id: missing")]
    assert memory_warnings(broken, verbose=True)[1] == (b"b.json", "warning: odd")
    assert "1 error, 1 warning in the memory itself" in "\n".join(memory_lines(broken))
    require_sound(broken)


@pytest.mark.parametrize(
    ("notes", "words"),
    [
        ({"profile": "icc", "error": "block 7 cannot be read"}, "manifest could not be made: block 7"),
        (NOTES | {"passed": False, "failures": ["x.json: gone", "y.json: gone"]}, r"x.json: gone \(and 1 more\)"),
    ],
)
def test_a_backup_that_is_not_whole_ends_with_an_error(notes: dict[str, Any], words: str) -> None:
    """The snapshot is kept; the exit code is that of a partial result, and the message says why."""
    with pytest.raises(PartialResult, match=words):
        require_sound(result(notes=notes))


def test_secrets_that_were_not_stored_are_told() -> None:
    """By their paths."""
    assert "  never stored, for holding secrets: auth.json" in list(memory_lines(result(withheld=(b"auth.json",))))


def test_secrets_that_were_not_stored_are_told_of_any_directory() -> None:
    """Also where nothing else is known of it, and nothing was stored."""
    told = list(memory_lines(result(profile="generic", notes=None, withheld=(b".claude/.credentials.json",))))
    assert told == ["  never stored, for holding secrets: .claude/.credentials.json"]
