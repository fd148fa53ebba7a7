"""export, import, forget and undelete, as processes."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from icc_store.cli.main import module_name
from icc_store.cli.snapshot_fields import ROW
from tests.support.program import Program


def run(program: Program, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """With bytes on stdin and stdout."""
    command = program.command(*arguments)
    return subprocess.run(command, env=program.environ, input=stdin, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["x.tar", "x.tgz", "x.tar.zst"])
def test_there_and_back(program: Program, tmp_path: Path, name: str) -> None:
    """What export writes, import makes the same tree of; both say what they did."""
    path = tmp_path / name
    said = program.good("export", "first", "--tar", path).out
    assert str(path) in said
    assert "5 files" in said
    document = program.good("import", path, "--name", "back", "--tag", "t", "--source", "s", "--json").document
    row = document["snapshot"]
    assert (row["class"], row["name"], row["tags"], row["source"]) == ("import", "back", ["t"], "s")
    roots = {one["name"]: one["root"] for one in program.good("list", "--json").document["snapshots"]}
    assert roots["back"] == roots["first"]


def test_export_describes_itself(program: Program, tmp_path: Path) -> None:
    """The JSON document counts what is in the archive."""
    path = tmp_path / "x.archive"
    arguments = ("export", "first", "d", "--tar", str(path), "--format", "tar.gz", "--json")
    document = program.good(*arguments).document
    counts = [document[name] for name in ("format", "files", "directories", "others", "links", "size", "problems")]
    assert counts == ["tar.gz", 2, 2, 0, 0, 5008, []]
    assert document["written_size"] == path.stat().st_size
    with tarfile.open(path, "r:gz") as archive:
        assert archive.getnames() == ["d", "d/b.json", "d/e", "d/e/f.txt"]


def test_documents_are_as_described(program: Program, tmp_path: Path) -> None:
    """`--json` of these commands has the fields that docs/cli.md is made from, and no others."""
    path = str(tmp_path / "x.tar")
    for arguments in (("export", "first", "--tar", path), ("import", path), ("forget", "first"), ("undelete", "first")):
        document = program.good("--json", *arguments).document
        described = importlib.import_module(f"icc_store.cli.commands.{module_name(arguments[0])}").DOCUMENT
        assert set(document) == {"schema", "command", *described}
        rows = document.get("changed") or [document["snapshot"]]
        assert set(rows[0]) == set(ROW)


def test_through_pipes(program: Program) -> None:
    """`export --tar - | import -` works, and nothing but the archive is on stdout."""
    done = run(program, "export", "first", "--tar", "-")
    assert (done.returncode, done.stderr) == (0, b"")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert archive.getnames()[:2] == [".", "a.md"]
    again = run(program, "export", "first", "--tar", "-", "--format", "tar.zst")
    back = run(program, "import", "-", stdin=again.stdout)
    assert (back.returncode, back.stderr) == (0, b"")
    assert b"5 files" in back.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("export", "first"), 2, "--tar"),
        (("export", "first", "--tar", "-", "--json"), 2, "stdout"),
        (("export", "first", "--tar", "x.zip"), 2, "says no format"),
        (("export", "nothing", "--tar", "x.tar"), 4, "nothing"),
        (("export", "first", "no/such", "--tar", "x.tar"), 4, "no/such is not in the snapshot"),
        (("export", "first", "--tar", "nowhere/x.tar"), 1, "No such file"),
        (("import", "nowhere.tar"), 1, "cannot be read"),
        (("import", "text"), 1, "text is not a tar archive"),
        (("import", "text", "--name", "latest"), 2, "looks like"),
        (("forget",), 2, "SNAP"),
        (("forget", "nothing"), 4, "nothing"),
        (("undelete", "nothing"), 4, "nothing"),
        (("forget", "latest", "--source", "other"), 1, "last full snapshot of 'other'"),
    ],
)
def test_what_cannot_be_done(
    program: Program, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    """Each mistake has its exit code and one line; nothing is written, nothing forgotten."""
    (tmp_path / "text").write_text("no archive\n" * 100)
    before = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run(
        program.command(*arguments), env=program.environ, cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (code, b"") or "--json" in arguments
    assert message in done.stderr.decode()
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert len(program.good("list", "--json").document["snapshots"]) == 3


def test_an_existing_archive_is_kept(program: Program, tmp_path: Path) -> None:
    """Without --force a file that is there stays."""
    path = tmp_path / "x.tar"
    path.write_text("mine")
    assert program("export", "first", "--tar", path).code == 1
    assert path.read_text() == "mine"
    program.good("export", "first", "--tar", path, "--force")
    assert tarfile.is_tarfile(path)


def test_a_reader_that_goes_away(program: Program) -> None:
    """A closed pipe ends the export without a word."""
    inside, outside = os.pipe()
    os.close(inside)
    done = subprocess.run(
        program.command("export", "first", "--tar", "-"), env=program.environ, stdout=outside, stderr=-1, check=False
    )
    os.close(outside)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_full_disk(program: Program) -> None:
    """Stdout on a full disk is said in one line."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            program.command("export", "first", "--tar", "-"), env=program.environ, stdout=full, stderr=-1, check=False
        )
    assert done.returncode == 1
    assert b"no space left" in done.stderr


def test_a_hostile_archive(program: Program, tmp_path: Path) -> None:
    """The member is named, and there is no snapshot."""
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("good"))
        archive.addfile(tarfile.TarInfo("../bad"))
    done = program("import", tmp_path / "x.tar")
    assert done.code == 1
    assert "../bad leads out of the archive" in done.err


def test_forget_and_undelete(program: Program) -> None:
    """A forgotten snapshot is out of the list until it is brought back; a dry run changes nothing."""
    assert "would be forgotten" in program.good("forget", "first", "--dry-run").out
    assert len(program.good("list", "--json").document["snapshots"]) == 3
    document = program.good("forget", "first", "--json").document
    assert [one["name"] for one in document["changed"]] == ["first"]
    assert len(program.good("list", "--json").document["snapshots"]) == 2
    assert program("show", "first").code == 4
    assert ": back" in program.good("undelete", "first").out
    assert ": as before" in program.good("undelete", "first").out
    assert len(program.good("list", "--json").document["snapshots"]) == 3


def test_purge(program: Program) -> None:
    """With --purge the last full snapshot of a source goes, and one that was forgotten loses its day."""
    program.good("forget", "first")
    assert ": purged" in program.good("forget", "first", "--purge").out
    program.good("forget", "latest", "--source", "other", "--purge")
    assert {one["source"] for one in program.good("list", "--json").document["snapshots"]} == {"home"}


def test_pinned_snapshots_stay(program: Program) -> None:
    """A pin holds, and the message says how to take it off."""
    program.good("pin", "first")
    done = program("forget", "first")
    assert done.code == 1
    assert "first is pinned" in done.err
    program.good("pin", "first", "--off")
    program.good("forget", "first")
