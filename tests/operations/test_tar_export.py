"""Archives written by export, opened by GNU tar, bsdtar and Python's tarfile."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import subprocess
import tarfile
import threading
from pathlib import Path

import pytest

from icc_store.codec.archive_stream import ArchiveFormat
from icc_store.errors import DiskFull, PathNotInSnapshot, TargetError, UsageError
from icc_store.ids import KEY_SIZE, Kind
from icc_store.model.content import list_pieces
from icc_store.model.content_writer import store_stream
from icc_store.model.entry import Entry
from icc_store.model.record import SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_repository
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.tar_export import ExportOptions, ExportResult, export_tar
from tests.support.rich_tree import ROOT, differences, make_rich_tree, picture
from tests.support.snapshots import MTIME, Files, take

FILES: Files = {
    "a.txt": b"one\n",
    "d/b.txt": b"two\n",
    "d/e/c.txt": b"three\n",
    "large": bytes(range(256)) * 12_000,
    "link": Entry(b"", stat.S_IFLNK | 0o777, target=b"a.txt", mtime_ns=MTIME),
}


@pytest.fixture
def rich(tmp_path: Path, repository: Repository) -> tuple[Path, SnapshotRecord]:
    """A directory with everything in it, and the record of its snapshot."""
    top = make_rich_tree(tmp_path / "rich")
    result = take_snapshot(repository, [top])
    assert not result.problems
    assert result.snapshot is not None
    return top, result.snapshot.record


def written(repository: Repository, record: SnapshotRecord, **options: object) -> tuple[bytes, ExportResult]:
    """The bytes of an export into a sink."""
    out = io.BytesIO()
    result = export_tar(repository, record, target=out.write, options=ExportOptions(**options))  # type: ignore[arg-type]
    return out.getvalue(), result


def names_in(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getnames()


# ------------------------------------------------------------------------------------ what opens them


def test_gnu_tar_is_here() -> None:
    """GNU tar, which the tests below need, is on this machine; so at least it and tarfile are tried."""
    assert shutil.which("tar"), "install GNU tar"
    assert b"GNU tar" in subprocess.run(["tar", "--version"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.zst"])
def test_gnu_tar_restores_everything(
    tmp_path: Path, repository: Repository, rich: tuple[Path, SnapshotRecord], name: str
) -> None:
    """What GNU tar extracts is the directory that was backed up: contents, holes, links, times, attributes, ACLs."""
    top, record = rich
    export_tar(repository, record, target=tmp_path / name)
    (tmp_path / "out").mkdir()
    command = [
        "tar",
        "--xattrs",
        "--xattrs-include=*",
        "--acls",
        "-xpf",
        str(tmp_path / name),
        "-C",
        str(tmp_path / "out"),
    ]
    if name.endswith("zst") and not shutil.which("zstd"):
        pytest.skip("GNU tar needs the zstd program")
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert differences(picture(top), picture(tmp_path / "out")) == []


def test_bsdtar_restores_everything(tmp_path: Path, repository: Repository, rich: tuple[Path, SnapshotRecord]) -> None:
    """What bsdtar extracts is the directory too, but for what libarchive itself gets wrong."""
    if not shutil.which("bsdtar"):
        pytest.skip("bsdtar is not installed; GNU tar and tarfile are tried in any case")
    top, record = rich
    export_tar(repository, record, target=tmp_path / "x.tar")
    (tmp_path / "out").mkdir()
    command = ["bsdtar", "--xattrs", "--acls", "-xpf", str(tmp_path / "x.tar"), "-C", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert (done.returncode, done.stderr) == (0, b"")
    left, right = picture(top), picture(tmp_path / "out")
    for one in (left, right):
        del one[b"."]["mtime"]  # bsdtar leaves the time of the directory it extracts into
        del one[b"before 1970"]["mtime"]  # it takes -1.25 for -0.75
    assert differences(left, right) == []


def test_tarfile_reads_everything(repository: Repository, rich: tuple[Path, SnapshotRecord]) -> None:
    """Python's tarfile finds every name, type, size, content, target, owner and time."""
    top, record = rich
    data, _ = written(repository, record)
    seen = picture(top)
    with tarfile.open(fileobj=io.BytesIO(data), encoding="utf-8", errors="surrogateescape") as archive:
        for member in archive:
            expected = seen.pop(os.fsencode(member.name))
            assert int(expected["mode"], 8) & 0o7777 == member.mode
            assert expected["owner"] == (member.uid, member.gid)
            assert abs(expected["mtime"] / 1e9 - float(member.mtime)) < 1e-6
            if member.issym():
                assert os.fsencode(member.linkname) == expected["target"]
            elif member.isfile() and not member.islnk():
                assert member.size == expected["size"]
                if member.size < 1 << 24:
                    extracted = archive.extractfile(member)
                    assert extracted is not None
                    original = (top / member.name).read_bytes()
                    assert extracted.read() == original
    assert seen == {}


@pytest.mark.parametrize("tool", ["tar", "bsdtar"])
def test_listing_says_nothing_on_stderr(tmp_path: Path, repository: Repository, tool: str) -> None:
    """The usual archive is listed without a remark, in the C locale and in UTF-8."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    record = take(repository, {**FILES, "\u00e9": b"x", b"\xff": b"y"}).record
    export_tar(repository, record, target=tmp_path / "x.tar")
    for locale in ("C", "C.UTF-8"):
        done = subprocess.run(
            [tool, "-tf", str(tmp_path / "x.tar")],
            capture_output=True,
            check=False,
            env=os.environ | {"LC_ALL": locale},
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert len(done.stdout.splitlines()) == 9


def test_paths_longer_than_the_system_takes(tmp_path: Path, repository: Repository) -> None:
    """A path of 6,000 bytes is in the archive whole; tarfile reads it back."""
    path = b"/".join([b"n" * 100] * 60)
    data, _ = written(repository, take(repository, {path: b"deep"}).record)
    assert os.fsencode(names_in(data)[-1]) == path


# ------------------------------------------------------------------------------------ the same bytes


@pytest.mark.parametrize("form", list(ArchiveFormat))
def test_the_same_snapshot_makes_the_same_bytes(tmp_path: Path, repository: Repository, form: ArchiveFormat) -> None:
    """Twice, with another number of threads, and from another repository: the archive is the same byte for byte."""
    record = take(repository, FILES).record
    first, result = written(repository, record, form=form)
    assert result.form is form
    assert result.written_size == len(first)
    assert written(repository, record, form=form, threads=3)[0] == first
    create_repository(tmp_path / "other")
    with open_repository(tmp_path / "other") as other:
        take(other, {"something": b"else"})
        assert written(other, take(other, FILES, name="named").record, form=form)[0] == first


def test_the_gzip_header_has_no_time(repository: Repository) -> None:
    """Four zero bytes stand where gzip would say when."""
    data, _ = written(repository, take(repository, FILES).record, form=ArchiveFormat.GZIP)
    assert data[4:8] == bytes(4)
    assert gzip.decompress(data) == written(repository, take(repository, FILES).record)[0]


def test_members_come_in_order_and_fill_whole_records(repository: Repository) -> None:
    """Names are in the order of a walk, a directory before what it holds; the size is what tar's is."""
    data, result = written(repository, take(repository, FILES).record)
    assert names_in(data) == ["a.txt", "d", "d/b.txt", "d/e", "d/e/c.txt", "large", "link"]
    assert len(data) == result.plain_size
    assert len(data) % 10240 == 0
    assert (result.files, result.directories, result.others, result.links) == (4, 2, 1, 0)
    assert result.size == 14 + 256 * 12_000


# ------------------------------------------------------------------------------------ parts


def test_parts_of_a_snapshot(repository: Repository) -> None:
    """Chosen paths come with all that is below them, each once, under their whole stored paths."""
    record = take(repository, FILES).record
    data, _ = written(repository, record, paths=(b"d/e", b"link", b"d/e/c.txt", b"d/e"))
    assert names_in(data) == ["d/e", "d/e/c.txt", "link"]
    assert written(repository, record, paths=(b"",))[0] == written(repository, record)[0]


def test_a_missing_part_is_an_error_before_anything_is_written(tmp_path: Path, repository: Repository) -> None:
    """A path that the snapshot does not have ends the export, and no file appears."""
    record = take(repository, FILES).record
    with pytest.raises(PathNotInSnapshot, match="d/nothing"):
        export_tar(repository, record, target=tmp_path / "x.tar", options=ExportOptions((b"a.txt", b"d/nothing")))
    assert not list(tmp_path.glob("*x.tar*"))


def test_hard_links_to_what_is_left_out(tmp_path: Path, repository: Repository) -> None:
    """Where the first name of a file is not among the chosen ones, the first chosen one holds the content."""
    top = tmp_path / "top"
    (top / "a").mkdir(parents=True)
    (top / "b").mkdir()
    (top / "a" / "1").write_text("content")
    for name in ("2", "3"):
        os.link(top / "a" / "1", top / "b" / name)
    snapshot = take_snapshot(repository, [top]).snapshot
    assert snapshot is not None
    data, result = written(repository, snapshot.record, paths=(b"b",))
    assert (result.files, result.links) == (1, 1)
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.getmember("b/2").isreg()
        assert archive.getmember("b/3").linkname == "b/2"
        assert "comment" not in archive.getmember("b/2").pax_headers


# ------------------------------------------------------------------------------------ where it goes


def test_an_existing_file_is_replaced_only_with_force(tmp_path: Path, repository: Repository) -> None:
    """A file that is there stays as it is, unless it may be replaced."""
    record = take(repository, FILES).record
    target = tmp_path / "x.tar"
    target.write_text("precious")
    with pytest.raises(TargetError, match="there already"):
        export_tar(repository, record, target=target)
    assert target.read_text() == "precious"
    export_tar(repository, record, target=target, options=ExportOptions(force=True))
    assert tarfile.is_tarfile(target)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repository", "x.tar"]


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("x.foo", UsageError, "says no format"),
        ("repository/x.tar", TargetError, "inside the repository"),
        ("repository/../repository/writers/x.tar", TargetError, "inside the repository"),
        ("nowhere/x.tar", TargetError, "cannot be written"),
        ("a-directory.tar", TargetError, "is a directory"),
    ],
)
def test_places_that_cannot_be_meant(
    tmp_path: Path, repository: Repository, name: str, error: type[Exception], message: str
) -> None:
    """Each wrong place has its own message, and nothing is written."""
    (tmp_path / "a-directory.tar").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=message):
        export_tar(repository, take(repository, FILES).record, target=tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_leaves_nothing(tmp_path: Path, repository: Repository) -> None:
    """A disk that is full is said to be full; a device is written to, never replaced."""
    record = take(repository, FILES).record
    link = tmp_path / "full.tar"
    link.symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="no room"):
        export_tar(repository, record, target=link)
    assert Path("/dev/full").is_char_device()
    assert not list(tmp_path.glob(".icc-*"))


def test_an_interruption_leaves_nothing(tmp_path: Path, repository: Repository) -> None:
    """Whatever stops the export in the middle, no half archive is left behind."""

    class Stop(BaseException):
        pass

    record = take(repository, {f"{number:04}": os.urandom(40_000) for number in range(200)}).record
    get, calls = repository.objects.get, 0

    def stopping(identity: object, kind: int) -> bytes:
        nonlocal calls
        calls += 1
        if calls > 150:
            raise Stop
        return get(identity, kind)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repository.objects, "get", stopping)
        with pytest.raises(Stop):
            export_tar(repository, record, target=tmp_path / "x.tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repository"]


def test_a_fifo_is_written_into(tmp_path: Path, repository: Repository) -> None:
    """A named pipe gets the archive; it is not replaced by a file."""
    record = take(repository, FILES).record
    pipe = tmp_path / "pipe.tar"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    export_tar(repository, record, target=pipe)
    reader.join(timeout=30)
    assert names_in(got[0])[0] == "a.txt"
    assert pipe.is_fifo()


# ------------------------------------------------------------------------------------ damage


def forget_object(repository: Repository, identity: bytes) -> None:
    """Take an object out of the index, as if it had never been stored."""
    with repository.store.write() as txn:
        row = txn.row(identity[:KEY_SIZE])
        assert row is not None
        txn.delete_rows([row])
    repository.objects.forget()


def test_a_file_whose_content_is_gone_is_left_out(repository: Repository) -> None:
    """It is listed with the reason; everything else is in the archive, which is whole."""
    record = take(repository, FILES).record
    with repository.adding() as run:
        lost = run.writer.add(Kind.CHUNK, b"two\n")
    forget_object(repository, lost)
    data, result = written(repository, record)
    assert names_in(data) == ["a.txt", "d", "d/e", "d/e/c.txt", "large", "link"]
    assert [path for path, _ in result.problems] == [b"d/b.txt"]
    assert "missing" in result.problems[0][1]


def test_a_lost_piece_in_a_large_file_stands_as_zeros(repository: Repository) -> None:
    """The rest of the file is where it belongs, and the result says which bytes are not."""
    content = os.urandom(3_000_000)
    with repository.adding() as run:
        root, _ = store_stream(run.writer, run.objects, [io.BytesIO(content)], size=len(content))
        run.writer.commit()
    record = take(repository, {"file": Entry(b"", stat.S_IFREG | 0o644, size=len(content), content_list=root)}).record
    pieces = list(list_pieces(repository.objects, root))
    forget_object(repository, pieces[3].id)
    data, result = written(repository, record)
    start = sum(piece.length for piece in pieces[:3])
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        extracted = archive.extractfile("file")
        assert extracted is not None
        got = extracted.read()
    assert got == content[:start] + bytes(pieces[3].length) + content[start + pieces[3].length :]
    assert f"{pieces[3].length} bytes from {start} on" in dict(result.problems)[b"file"]


def test_a_directory_that_cannot_be_read_is_left_out(repository: Repository) -> None:
    """Its name is in the archive, what was in it is reported, and the export goes on behind it."""
    record = take(repository, FILES).record
    subtree = lookup(repository.objects, record, b"d/e").entry.subtree
    assert subtree is not None
    forget_object(repository, subtree)
    data, result = written(repository, record)
    assert names_in(data) == ["a.txt", "d", "d/b.txt", "d/e", "large", "link"]
    assert [path for path, _ in result.problems] == [b"d/e"]


@pytest.mark.skipif(not ROOT, reason="only root may make the owners and devices this is about")
def test_large_numbers_of_owners_and_devices(repository: Repository, rich: tuple[Path, SnapshotRecord]) -> None:
    """Ids and device numbers beyond the octal fields are in PAX records."""
    _, record = rich
    data, _ = written(repository, record)
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        assert archive.getmember("d").uid == 3_000_000_000
        assert archive.getmember("d").pax_headers["gid"] == "2500000"
        assert (archive.getmember("block").devmajor, archive.getmember("block").devminor) == (300, 70_000)
