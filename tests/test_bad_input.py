"""Everything that can be wrong with what the program is given, through the program itself.

Each gets a message of its own that says what, which file and what to do, an exit code, and loses nothing.
"""

from __future__ import annotations

import codecs
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from icc_store.cli.main import run
from icc_store.codec.hashing import checksum, object_id
from icc_store.errors import NetworkFileSystem
from icc_store.fs import mounts
from icc_store.ids import Kind
from icc_store.model.header import HEADER_NAME
from icc_store.model.record import SnapshotRecord, pack_record
from icc_store.opening import create_repository, open_repository
from icc_store.operations.verify import verify
from tests.fs.roles import IS_ROOT, as_ordinary_user
from tests.support.live import fill, new_clock
from tests.support.program import Done, Program, finish
from tests.support.shelf import noise
from tests.support.snapshots import take

codecs.lookup("ascii")  # once a test is an ordinary user, Python itself may be out of its reach
FILES = {"a.md": b"hello\n", "d/b.json": b"{}", "large": noise(1, 300_000)}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def program(tmp_path: Path, source: Path) -> Program:
    """The program on a repository with two snapshots, `first` and `second`."""
    made = Program(tmp_path / "repository")
    made.good("init")
    made.good("snapshot", source, "--name", "first")
    made.good("snapshot", source, "--name", "second", "--tag", "x")
    return made


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that an ordinary user can reach."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    subprocess.run(["chmod", "-R", "u+rwx", path], check=True)
    shutil.rmtree(path)


def refused(done: Done, code: int, *said: str) -> None:
    """It ended with that code, and one line on stderr says all of this and what to do next."""
    assert done.code == code, done
    assert done.out == ""
    assert done.err.startswith("icc-store: ")
    assert done.err.count("\n") == 1, done.err
    assert done.err.rstrip().endswith(")"), f"it does not say what to do: {done.err}"
    for text in said:
        assert text in done.err


def is_whole(program: Program) -> None:
    """Both snapshots are there and in order."""
    assert [row["name"] for row in program.good("list", "--json-lines").rows][:2] == ["first", "second"]
    with open_repository(program.repository, readonly=True) as repository:
        assert not verify(repository).findings


def test_a_path_that_does_not_exist(program: Program, tmp_path: Path, source: Path) -> None:
    """A PATH that is not there is an error, also beside one that is, and no snapshot is made."""
    refused(program("snapshot", tmp_path / "nowhere"), 1, "nowhere", "No such file")
    refused(program("snapshot", source, tmp_path / "nowhere"), 1, "nowhere")
    assert len(program.good("list", "--json-lines").rows) == 2


def test_a_repository_that_is_not_there(tmp_path: Path, source: Path) -> None:
    """A typo in the repository's path makes no empty one."""
    program = Program(tmp_path / "typo")
    for arguments in (("snapshot", source), ("list",), ("gc",)):
        refused(program(*arguments), 4, "typo", "init")
    assert not (tmp_path / "typo").exists()


def test_a_repository_that_is_a_file(tmp_path: Path, source: Path) -> None:
    """A file where the repository is to be is left as it is."""
    (tmp_path / "file").write_bytes(b"precious")
    program = Program(tmp_path / "file")
    for arguments in (("init",), ("snapshot", source), ("list",)):
        done = program(*arguments)
        assert done.code == 1
        assert "file" in done.err
        assert "Traceback" not in done.err
    assert (tmp_path / "file").read_bytes() == b"precious"


def test_a_directory_that_is_not_ours(tmp_path: Path, source: Path) -> None:
    """A directory with other things in it is neither used nor made into a repository."""
    fill(tmp_path / "other", {"data.mdb": b"something else", "x": b"1"})
    program = Program(tmp_path / "other")
    refused(program("init"), 1, "other", "not empty")
    for arguments in (("snapshot", source), ("list",)):
        done = program(*arguments)
        assert done.code == 1
        assert "other" in done.err
    assert sorted(os.listdir(tmp_path / "other")) == ["data.mdb", "x"]
    (tmp_path / "empty").mkdir()
    assert Program(tmp_path / "empty")("list").code == 1
    assert os.listdir(tmp_path / "empty") == []


def test_init_twice(program: Program) -> None:
    """A repository is not made where one is."""
    refused(program("init"), 1, "is a repository already")
    is_whole(program)


def edit_header(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the header file as a newer program would have written it, with a right checksum."""
    file = path / HEADER_NAME
    fields = json.loads(file.read_text())
    del fields["checksum"]
    change(fields)
    body = json.dumps(fields, indent=1, sort_keys=True)
    file.write_text(json.dumps(fields | {"checksum": checksum(body.encode()).hex()}, indent=1, sort_keys=True))


def test_a_newer_format(program: Program, source: Path) -> None:
    """A repository of a newer format is not touched, and the message says which program is needed."""
    edit_header(program.repository, lambda fields: fields.update(version=99))
    for arguments in (("list",), ("snapshot", source), ("gc",)):
        refused(program(*arguments), 1, "99", "newer")


def test_an_unknown_feature(program: Program, source: Path) -> None:
    """A repository that needs a feature of a newer program is not touched; one that only adds it can be read."""
    edit_header(program.repository, lambda fields: fields["features"].update(refuse=["sealed"]))
    refused(program("list"), 1, "sealed", "newer")
    edit_header(program.repository, lambda fields: fields["features"].update(refuse=[], read_only=["counted"]))
    refused(program("snapshot", source), 1, "newer")
    program.good("list")
    edit_header(program.repository, lambda fields: fields["features"].update(read_only=[], ignore=["coloured"]))
    program.good("snapshot", source)


def test_a_header_that_is_damaged(program: Program) -> None:
    """A header that is not what its checksum says is damage, and the message names the file."""
    file = program.repository / "repository.json"
    file.write_text(file.read_text().replace('"version": 1', '"version": 0'))
    refused(program("list"), 6, "repository.json is damaged", "repair")
    file.write_bytes(b"")
    refused(program("list"), 6, "repository.json is damaged")


def test_a_network_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network file system a repository is neither made nor opened, and the message says why."""
    create_repository(tmp_path / "r")
    monkeypatch.setattr(mounts, "file_system_type", lambda path: "nfs4")
    with pytest.raises(NetworkFileSystem, match=r"nfs4.*cannot be trusted"):
        create_repository(tmp_path / "new")
    with pytest.raises(NetworkFileSystem, match="copy"), open_repository(tmp_path / "r"):
        pass
    monkeypatch.undo()
    with open_repository(tmp_path / "r"):
        pass


def in_process(*arguments: object) -> Done:
    """The program within this process, which has given up root."""
    out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.TextIOWrapper(io.BytesIO(), write_through=True)
    with redirect_stdout(out), redirect_stderr(err):
        code = run([str(argument) for argument in arguments], os.environ | {"HOME": os.getcwd()})
    texts = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Done(code, *texts)


def a_read_only_repository(_: Path) -> None:
    here = Path.cwd()
    fill(here / "source", FILES)
    repository = here / "r"
    for arguments in (("init",), ("snapshot", here / "source")):
        done = in_process("--repo", repository, *arguments)
        assert done.code == 0, done
    for path in [*repository.rglob("*"), repository]:
        path.chmod(0o500 if path.is_dir() else 0o400)
    before = {path.name: path.stat().st_mtime_ns for path in repository.iterdir()}
    listed = in_process("--repo", repository, "list", "--json-lines")
    assert listed.code == 0, listed
    assert len(listed.out.splitlines()) == 1
    restored = in_process("--repo", repository, "restore", "latest", "--target", here / "back")
    assert restored.code == 0, restored
    assert (here / "back/large").read_bytes() == FILES["large"]
    for arguments in (("snapshot", here / "source"), ("tag", "latest", "x"), ("forget", "latest", "--purge")):
        refused(in_process("--repo", repository, *arguments), 1, str(repository))
    planned = in_process("--repo", repository, "snapshot", "--dry-run", here / "source")
    assert planned.code == 0, planned
    assert {path.name: path.stat().st_mtime_ns for path in repository.iterdir()} == before


def test_a_read_only_repository(public: Path) -> None:
    """Who may only read a repository can list and restore; whatever would write is refused, and says why."""
    as_ordinary_user(a_read_only_repository, public)


def files_that_may_not_be_read(_: Path) -> None:
    here = Path.cwd()
    fill(here / "source", FILES)
    (here / "source/d/b.json").chmod(0)
    assert in_process("--repo", here / "r", "init").code == 0
    done = in_process("--json", "--repo", here / "r", "snapshot", here / "source")
    assert done.code == 3, done
    message = f"Permission denied (nobody:nogroup, mode 0000); to allow it: chmod u+r {here}/source/d/b.json"
    if IS_ROOT:
        assert json.loads(done.out)["problems"] == [{"path": "d/b.json", "message": message}]
    told = json.loads(done.out)["problems"]
    assert "d/b.json" in done.err
    assert "1 file could not be read" in done.err
    shown = in_process("--json", "--repo", here / "r", "show", "latest")
    assert json.loads(shown.out)["warnings"] == told
    command = told[0]["message"].partition("to allow it: ")[2]
    assert in_process("--repo", here / "r", "restore", "latest", "--target", here / "back").code == 0
    assert sorted(path.name for path in (here / "back").iterdir()) == ["a.md", "d", "large"]
    assert (here / "source/d/b.json").stat().st_mode & 0o777 == 0
    subprocess.run(command, shell=True, check=True)
    assert in_process("--repo", here / "r", "snapshot", here / "source").code == 0


def test_files_that_may_not_be_read(public: Path) -> None:
    """A file that cannot be read is listed with its owner and mode; everything else is stored; the exit code is 3.

    The program changes no mode. The command that it names makes the next snapshot complete.
    """
    as_ordinary_user(files_that_may_not_be_read, public)


def test_a_full_disk(program: Program, source: Path, tmp_path: Path) -> None:
    """When there is no room, the snapshot fails with a message about that, and what was committed stays.

    A limit on the size of files stands in for the disk.
    """
    (source / "huge").write_bytes(noise(2, 12_000_000))
    limit = (program.repository / "data.mdb").stat().st_size + 2_000_000

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = program.command("snapshot", source)
    done = subprocess.run(command, env=program.environ, preexec_fn=bound, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"the disk of {program.repository} is full" in done.stderr
    is_whole(program)
    program.good("snapshot", source)
    is_whole(program)


def mount_small(path: Path, size: str) -> bool:
    path.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def test_a_really_full_disk(tmp_path: Path) -> None:
    """The same on a small file system, where one can be mounted: the message says that the disk is full."""
    disk = tmp_path / "disk"
    if not mount_small(disk, "3m"):
        return  # not root, or not allowed to mount
    try:
        fill(tmp_path / "source", FILES)
        program = Program(disk / "r")
        program.good("init")
        program.good("snapshot", tmp_path / "source", "--name", "first")
        program.good("snapshot", tmp_path / "source", "--name", "second")
        (tmp_path / "source/huge").write_bytes(noise(2, 6_000_000))
        refused(program("--quiet", "snapshot", tmp_path / "source"), 1, "full", str(disk / "r"))
        is_whole(program)
        (tmp_path / "source/huge").unlink()
        program.good("snapshot", tmp_path / "source", "--name", "third")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("frist", "first"),
        ("latest~7", "latest"),
        ("0123456789ab", "0123456789ab"),
        ("1999-01-01", "1999"),
    ],
)
def test_a_wrong_snapshot(program: Program, wrong: str, said: str) -> None:
    """A snapshot that is not there is named, with the nearest one where there is one."""
    done = program("show", wrong)
    assert done.code == 4
    assert said in done.err
    assert "Traceback" not in done.err


def test_an_ambiguous_prefix(tmp_path: Path) -> None:
    """A prefix that two snapshots share is refused, and the candidates are listed; a longer one decides."""
    program = Program(tmp_path / "many")
    program.good("init")
    with open_repository(program.repository, clock=new_clock()) as repository:
        example = replace(take(repository).record, note="")
        ids: list[str] = []
        for record in records_alike(example):
            with repository.adding() as run:
                ids.append(run.commit(lambda seq, record=record: replace(record, seq=seq)).id.hex())
    assert ids[0][:6] == ids[1][:6]
    refused(program("show", ids[0][:6]), 4, ids[0][:8], ids[1][:8])
    for identity in ids:
        shown = program.good("--json", "show", identity[:12]).document
        assert shown["snapshot"]["id"] == identity


def records_alike(example: SnapshotRecord) -> tuple[SnapshotRecord, SnapshotRecord]:
    """Two records, the second and the third of a repository, whose ids begin with the same six digits."""
    known: dict[bytes, SnapshotRecord] = {}
    for number in range(1 << 16):
        one = replace(example, seq=2, note=str(number))
        known[object_id(Kind.SNAPSHOT, pack_record(one))[:3]] = one
    for number in range(1 << 16):
        other = replace(example, seq=3, note=str(number))
        same = known.get(object_id(Kind.SNAPSHOT, pack_record(other))[:3])
        if same is not None:
            return same, other
    raise AssertionError("no two ids begin alike")


def test_a_target_in_the_repository(program: Program) -> None:
    """Nothing is ever restored into the repository."""
    before = sorted(os.listdir(program.repository))
    for target in (program.repository, program.repository / "x", program.repository / "writers"):
        done = program("restore", "first", "--target", target)
        assert done.code == 1
        assert "in the repository" in done.err
    assert sorted(os.listdir(program.repository)) == before
    is_whole(program)


def tar_with(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w") as tar:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = 5
            tar.addfile(member, io.BytesIO(b"hello"))
    return path


@pytest.mark.parametrize("name", ["../escape", "/absolute", "a/../../b", "a/\x00b"])
def test_a_hostile_tar(program: Program, tmp_path: Path, name: str) -> None:
    """A member that would leave the directory is refused, not renamed, and nothing of the archive is kept."""
    archive = tmp_path / "evil.tar"
    if "\0" in name:
        archive.write_bytes(tar_with(archive, "a/Xb").read_bytes().replace(b"a/Xb", b"a/\0b"))
    else:
        tar_with(archive, "fine", name)
    done = program("import", archive)
    if "\0" not in name:
        refused(done, 1, "evil.tar")
        assert len(program.good("list", "--json-lines").rows) == 2
    is_whole(program)


@pytest.mark.parametrize("what", ["truncated", "text", "empty", "missing", "directory", "gzip cut"])
def test_a_tar_that_is_none(program: Program, tmp_path: Path, what: str) -> None:
    """What is not a whole tar archive is refused with its name, and no snapshot is made of it."""
    archive = tmp_path / "bad.tar"
    whole = tar_with(tmp_path / "whole.tar", *(f"file {number}" for number in range(50))).read_bytes()
    if what == "truncated":
        archive.write_bytes(whole[:5000])
    elif what == "text":
        archive.write_text("This is not an archive. " * 100)
    elif what == "empty":
        archive.write_bytes(b"")
    elif what == "directory":
        archive.mkdir()
    elif what == "gzip cut":
        with tarfile.open(tmp_path / "z.tar.gz", "w:gz") as tar:
            tar.add(tmp_path / "whole.tar", "x")
        archive.write_bytes((tmp_path / "z.tar.gz").read_bytes()[:-30])
    done = program("import", archive)
    assert done.code == 1
    assert "bad.tar" in done.err
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    assert len(program.good("list", "--json-lines").rows) == 2
    is_whole(program)


def test_a_database_that_is_gone(program: Program) -> None:
    """A repository without its database is damage, and no new one is made in its place."""
    (program.repository / "data.mdb").unlink()
    done = program("list")
    assert done.code == 6
    assert "data.mdb is missing" in done.err
    assert not (program.repository / "data.mdb").exists()
    assert finish([sys.executable, "-c", ""], program.environ).code == 0
