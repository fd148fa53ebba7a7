"""`icc-store validate`: what it prints, what it exits with, and what it refuses."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from benchmarks.corpora.memory import build
from icc_store.cli.commands.validate import DOCUMENT
from tests.cli.test_commands import fields_fit
from tests.support.program import Program


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated memory, to be copied."""
    root = tmp_path_factory.mktemp("sound") / "memory"
    build(root, 20, seed=6)
    return root


@pytest.fixture
def memory(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "memory")
    return tmp_path / "memory"


def _document(done: Any) -> dict[str, Any]:
    """The document, which must have just the fields that docs/cli.md describes."""
    document: dict[str, Any] = done.document
    described = {"schema", "command", *DOCUMENT}
    assert set(document) == described
    assert fields_fit({name: value for name, value in document.items() if name in DOCUMENT}, DOCUMENT) == []
    return document


def test_a_sound_memory(program: Program, sound: Path) -> None:
    """One line with files, types and no findings; exit code 0."""
    (line,) = program.good("validate", sound).out.splitlines()
    assert line.startswith("icc memory: ")
    assert "20 entities: " in line
    assert line.endswith("; no findings")
    document = _document(program.good("validate", sound, "--json"))
    assert (document["profile"], document["errors"], document["findings"]) == ("icc", 0, [])
    assert sum(document["entities"].values()) == 20


def test_warnings_are_no_failure(program: Program, memory: Path) -> None:
    """They are listed under their file; the exit code stays 0."""
    (memory / "indexes/x.tmp").write_bytes(b"")
    lines = program.good("validate", memory).out.splitlines()
    assert lines[0] == "indexes/x.tmp"
    assert lines[1].startswith("  warning: a temporary file")
    assert lines[-1].endswith("; 0 errors, 1 warning")


def test_errors_exit_with_three(program: Program, memory: Path) -> None:
    """Findings are grouped by file, errors first, with field and expectation; the document has the same."""
    one, two = sorted((memory / "entities/Learning").rglob("Learning-*.json"))[:2]
    one.write_bytes(one.read_bytes()[:-10])
    two.write_bytes(two.read_bytes().replace(b'"application_count": ', b'"application_count": -5'))
    (memory / "indexes/x.tmp").write_bytes(b"")
    done = program("validate", memory)
    assert done.code == 3
    assert done.err == "icc-store: 2 errors in the memory; every other file is sound\n"
    lines = done.out.splitlines()
    assert lines[0] == str(one.relative_to(memory))
    assert lines[1].startswith("  error: not JSON: ")
    assert lines[2] == str(two.relative_to(memory))
    assert lines[3].startswith("  error: application_count: -5")
    assert lines[3].endswith("expected a whole number, 0 or more")
    failed = program("validate", memory, "--json")
    document = _document(failed)
    assert failed.code == 3
    assert (document["errors"], document["warnings"]) == (2, 1)
    assert document["findings"][1]["field"] == "application_count"
    assert document["fixed"] is None


def test_a_stored_memory(program: Program, memory: Path) -> None:
    """--snapshot validates what is in the repository, whatever has become of the source."""
    program.good("snapshot", memory, "--name", "sound")
    (memory / "config/settings.json").write_bytes(b"[")
    assert program("validate", memory).code == 3
    assert program.good("validate", "--snapshot", "sound").out.endswith("; no findings\n")
    assert _document(program.good("validate", "--snapshot", "sound", "--json"))["errors"] == 0


def test_fix_indexes_tells_what_it_did(program: Program, memory: Path) -> None:
    """Each index with ids added and removed, both snapshots, then what validation finds; a second time, nothing."""
    lost = min((memory / "entities/Learning").rglob("Learning-*.json"))
    lost.unlink()
    (memory / "indexes/tag-index.json").write_bytes(b'{"index": {')
    lines = program.good("validate", memory, "--fix-indexes").out.splitlines()
    assert f"  removed {lost.stem}" in lines
    assert "rebuilt entities/Learning/index.json, which was drifted" in lines
    assert "rebuilt indexes/tag-index.json, which was broken" in lines
    assert [line.split()[2] for line in lines if line.startswith("snapshot ")] == [
        "'before-fix-indexes'",
        "'after-fix-indexes'",
    ]
    again = program.good("validate", memory, "--fix-indexes").out.splitlines()
    assert again[0] == "the index files are right; nothing was changed and no snapshot taken"
    assert program.good("cat", "before-fix-indexes", "indexes/tag-index.json").out == '{"index": {'
    (memory / "indexes/date-index.json").unlink()
    fixed = _document(program.good("validate", memory, "--fix-indexes", "--json"))["fixed"]
    assert [(one["path"], one["state"]) for one in fixed["indexes"]] == [("indexes/date-index.json", "missing")]
    assert len(fixed["indexes"][0]["added"]) == 19
    listed = program.good("list", "--json").document["snapshots"]
    assert [one["id"] for one in listed[-2:]] == [fixed["before"], fixed["after"]]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("{notes}",), 1, "not a memory that is known"),
        (("{notes}", "--fix-indexes"), 1, "not a memory that is known"),
        (("{notes}", "--fix-indexes", "--profile", "generic"), 1, "not a memory of the icc layout"),
        (("{notes}/missing",), 1, "does not exist"),
        (("{notes}", "--profile", "x"), 2, "no profile 'x'"),
        (("{notes}", "--snapshot", "first"), 2, "takes no PATH"),
        (("--snapshot", "first", "--fix-indexes"), 2, "takes no PATH and no --fix-indexes"),
        (("{notes}", "--source", "home"), 2, "--source goes with"),
        (("--snapshot", "first"), 1, "of no memory that is known"),
        ((), 1, "does not exist"),
    ],
)
def test_what_is_no_memory_is_refused(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """The message says what was expected, and nothing is stored."""
    (tmp_path / "notes").mkdir()
    done = program("validate", *(one.format(notes=tmp_path / "notes") for one in arguments))
    assert (done.code, message in done.err) == (code, True), done
    assert len(program.good("list", "--json-lines").rows) == 3


def test_a_refused_memory_makes_no_repository(tmp_path: Path) -> None:
    """--fix-indexes looks at the memory before the default repository is made."""
    (tmp_path / "notes").mkdir()
    program = Program(tmp_path / "none")
    assert program("validate", tmp_path / "notes", "--fix-indexes").code == 1
    assert not (tmp_path / "none").exists()
