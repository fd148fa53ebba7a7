"""diff, restore and verify through real processes: what they print, what they ask, how they end."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from icc_store.cli.commands import diff as diff_command
from icc_store.cli.commands import restore as restore_command
from icc_store.cli.commands import verify as verify_command
from icc_store.model.walk import lookup
from icc_store.opening import open_repository
from tests.support import damage
from tests.support.live import fill, on_disk
from tests.support.program import Program

FILES = {"a.md": b"hello\n", "d/b.json": b'{"n": 1}', "d/e/c": b""}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def store(tmp_path: Path, source: Path) -> Program:
    """A repository with one snapshot of `source`."""
    program = Program(tmp_path / "repository")
    program.good("init", "-q")
    program.good("snapshot", source, "--name", "first", "-q")
    return program


def change(source: Path) -> None:
    (source / "a.md").write_bytes(b"hello again\n")
    (source / "d/e/c").unlink()
    (source / "new").mkdir()
    (source / "new/file").write_bytes(b"12345")


# ---------------------------------------------------------------- diff


def test_diff_since_a_snapshot(store: Program, source: Path) -> None:
    """One line per change with a sign and a size, and a line that sums up."""
    assert store.good("diff", "latest").out == "no differences\n"
    change(source)
    assert store.good("diff", "latest").out.splitlines() == [
        "M a.md  +6 B",
        "- d/e/c  0 B",
        "+ new/",
        "+ new/file  5 B",
        "2 added, 1 removed, 1 modified",
    ]
    assert store.good("diff", "latest", "--path", "new", "-q").out.splitlines() == ["+ new/", "+ new/file  5 B"]


def test_diff_between_snapshots_with_lines(store: Program, source: Path) -> None:
    """With --content the lines that differ follow, in the form that patch understands."""
    change(source)
    store.good("snapshot", source, "-q")
    assert store.good("diff", "first", "latest", "--content", "--path", "a.md").out.splitlines() == [
        "M a.md  +6 B",
        "--- a/a.md",
        "+++ b/a.md",
        "@@ -1 +1 @@",
        "-hello",
        "+hello again",
        "1 modified",
    ]
    lines = store.good("diff", "first", "latest", "--stat").out.splitlines()
    assert lines[1] == "  2 added, 1 removed, 1 modified"
    assert lines[2].startswith("  5 B in added files")


def test_diff_as_json(store: Program, source: Path) -> None:
    """The document has the fields that are documented, and the same rows come as lines."""
    change(source)
    document = store.good("diff", "latest", "--content", "--json").document
    assert document["after"] is None
    assert document["before"]["name"] == "first"
    assert set(document) - {"schema", "command"} == set(diff_command.DOCUMENT) - {"summary", "entities", "types"}
    for row in document["changes"]:
        assert set(row) <= set(diff_command.CHANGE)
    assert document["changes"][0]["diff"] == ["@@ -1 +1 @@", "-hello", "+hello again"]
    assert document["changes"][0]["before"]["type"] == "file"
    assert store.good("diff", "latest", "--content", "--json-lines").rows == document["changes"]
    summary = store.good("diff", "latest", "--stat", "--json").document["summary"]
    assert (summary["added"], summary["removed"], summary["modified"], summary["growth"]) == (2, 1, 1, 6)


def test_diff_of_what_is_not_there(store: Program, source: Path) -> None:
    """A wrong snapshot or path ends with 4, a live directory that has gone with 1."""
    assert store("diff", "lastest").code == 4
    assert store("diff", "latest", "--path", "nothing").code == 4
    source.rename(source.with_name("moved"))
    done = store("diff", "latest")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "cannot be compared" in done.err


# ---------------------------------------------------------------- restore


def test_restore_to_a_target(store: Program, source: Path, tmp_path: Path) -> None:
    """The contents stand in the target, the summary says how much, and a second run keeps everything."""
    done = store.good("restore", "latest", "--target", tmp_path / "target", "--verify")
    assert on_disk(tmp_path / "target") == FILES
    assert "5 written (14 B), 0 kept" in done.out
    assert "3 paths read back and compared" in done.out
    assert "0 written (0 B), 5 kept" in store.good("restore", "first", "-t", tmp_path / "target").out


def test_restore_parts_by_their_absolute_paths(store: Program, source: Path, tmp_path: Path) -> None:
    """A path may be named as it was when the snapshot was taken."""
    store.good("restore", "latest", source / "d/e", "--target", tmp_path / "target", "-q")
    assert on_disk(tmp_path / "target") == {"d/e/c": b""}


def test_restore_as_json(store: Program, source: Path, tmp_path: Path) -> None:
    """Result and plan have the fields that are documented; the plan touches nothing."""
    target = tmp_path / "target"
    fill(target, {"extra": b"123"})
    plan = store.good("restore", "latest", "--target", target, "--delete", "--dry-run", "--json").document
    assert on_disk(target) == {"extra": b"123"}
    assert set(plan) - {"schema", "command"} == set(restore_command.DOCUMENT)
    assert {(step["action"], step["path"]) for step in plan["steps"]} == {
        ("remove", "extra"),
        ("make", "a.md"),
        ("make", "d"),
        ("make", "d/b.json"),
        ("make", "d/e"),
        ("make", "d/e/c"),
    }
    done = store.good("restore", "latest", "--target", target, "--delete", "--json").document
    assert set(done) - {"schema", "command"} == set(restore_command.DOCUMENT) - {"steps"}
    assert (done["counts"]["make"], done["removed"], done["failures"]) == (5, 1, [])
    assert {name: done["counts"][name] for name in plan["counts"]} == plan["counts"]


def test_restore_in_place_needs_a_yes(store: Program, source: Path) -> None:
    """Without a terminal it takes --yes; nothing happens before."""
    change(source)
    before = on_disk(source)
    done = store("restore", "latest", "--delete")
    assert (done.code, on_disk(source)) == (2, before)
    assert "--yes" in done.err
    store.good("restore", "latest", "--delete", "--dry-run")
    assert on_disk(source) == before
    store.good("restore", "latest", "--delete", "--yes", "-q")
    assert on_disk(source) == FILES


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 1)])
def test_restore_in_place_asks_on_a_terminal(store: Program, source: Path, answer: str, code: int) -> None:
    """On a terminal it says what it would do and asks; no means that nothing is done."""
    change(source)
    before = on_disk(source)
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        store.command("restore", "latest", "--delete"),
        env=store.environ,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    os.write(mine, answer.encode() + b"\n")
    _, err = process.communicate()
    os.close(mine)
    assert process.returncode == code, err
    assert b"and remove 1 file of 5 B" in err
    assert on_disk(source) == (FILES if answer == "y" else before)


def test_restore_that_cannot_be(store: Program, source: Path, tmp_path: Path) -> None:
    """Each target or path that cannot be has its exit code and one line that says why."""
    for arguments, code, words in (
        (["--target", str(store.repository / "x")], 1, "in the repository"),
        (["--target", str(source / "a.md")], 1, "not a directory"),
        (["--target", str(tmp_path / "t"), "nothing"], 4, "not in the snapshot"),
        (["--target", str(tmp_path / "t"), "--overwrite", "sometimes"], 2, "sometimes"),
        (["--target", str(tmp_path / "t"), "../x"], 2, ".."),
    ):
        done = store("restore", "latest", *arguments)
        assert (done.code, done.err.count("\n"), done.out) == (code, 1, ""), done
        assert words in done.err
    assert not (tmp_path / "t").exists()


def test_restore_lists_what_it_could_not(store: Program, source: Path, tmp_path: Path) -> None:
    """What is blocked ends with 3, what is damaged with 6; the rest is restored, and the files are listed."""
    target = tmp_path / "target"
    fill(target, {"a.md/in the way": b""})
    done = store("restore", "latest", "--target", target)
    assert done.code == 3
    assert "a.md: a directory is in the way" in done.err
    assert on_disk(target) == {"a.md/in the way": b""} | {name: FILES[name] for name in ("d/b.json", "d/e/c")}
    with open_repository(store.repository) as repository:
        record = repository.snapshots()[0].record
        damage.lose(repository, lookup(repository.objects, record, b"d/b.json").entry.chunk)
    done = store("restore", "latest", "--target", tmp_path / "other", "--json")
    assert done.code == 6
    assert [(one["path"], one["damage"]) for one in json.loads(done.out)["failures"]] == [("d/b.json", True)]
    assert set(on_disk(tmp_path / "other")) == {"a.md", "d/e/c"}


# ---------------------------------------------------------------- verify


def test_verify_of_a_whole_repository(store: Program) -> None:
    """Every way to check says what it checked and ends well."""
    assert "no errors" in store.good("verify").out
    for arguments in (["--structure"], ["--sample", "50%"], ["--sample", "0.5"], ["--snapshot", "first"]):
        assert "no errors" in store.good("verify", *arguments).out
    document = store.good("verify", "--json").document
    assert set(document) - {"schema", "command"} == set(verify_command.DOCUMENT)
    assert (document["complete"], document["findings"], document["snapshots"]) == (True, [], 1)
    assert store.good("verify", "-q").out == ""


def test_verify_of_a_damaged_repository(store: Program) -> None:
    """A finding names what is damaged and the files it concerns, and the exit code is 6."""
    with open_repository(store.repository) as repository:
        damage.damage_block(repository, damage.block_numbers(repository)[0])
    done = store("verify", "--json")
    assert done.code == 6
    finding = json.loads(done.out)["findings"][0]
    assert set(finding) == set(verify_command.DOCUMENT["findings"])
    assert finding["severity"] == "damage"
    assert finding["files_total"] >= 1
    assert finding["files"][0]["snapshot"]
    done = store("verify")
    assert done.code == 6
    assert done.out.startswith(("damage: ", "inconsistency: "))
    assert done.err.count("\n") == 1


def test_verify_used_wrongly(store: Program) -> None:
    """Ways to check that exclude each other, and a share that is none, are wrong usage."""
    assert store("verify", "--structure", "--sample", "5%").code == 2
    assert store("verify", "--sample", "0").code == 2
    assert store("verify", "--sample", "101%").code == 2
    assert store("verify", "--snapshot", "nothing").code == 4
