"""Archives that are broken, or made to deceive: each is refused with its own message, and leaves no snapshot."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.codec.archive_stream import ArchiveFormat, ArchiveWriter
from icc_store.errors import ArchiveError, IccStoreError
from icc_store.limits import MIB
from icc_store.model.record import Subject
from icc_store.model.repository import Repository
from icc_store.model.walk import lookup
from icc_store.opening import create_repository, open_repository
from icc_store.operations.tar_export import ExportOptions, export_tar
from icc_store.operations.tar_import import import_tar
from tests.support import tars
from tests.support.snapshots import Files, take

FILE = tars.member(b"a file", b"content")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as opened:
        yield opened


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repository]:
    path = tmp_path_factory.mktemp("workshop") / "repository"
    create_repository(path)
    with open_repository(path) as opened:
        yield opened


def refused(repository: Repository, data: bytes, match: str) -> ArchiveError:
    """The error; and no snapshot was made."""
    with pytest.raises(ArchiveError, match=match) as caught:
        import_tar(repository, io.BytesIO(data))
    assert repository.snapshots() == []
    return caught.value


def compressed(data: bytes, form: ArchiveFormat) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, form)
    writer.write(data)
    writer.close()
    return out.getvalue()


# ------------------------------------------------------------------------------------ not a tar


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a", "b")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "shorter than a header"),
        (b"x", "shorter than a header"),
        (b"just some text\n" * 100, "checksum"),
        (bytes(range(256)) * 40, "checksum"),
        (_zip(), "a zip archive"),
        (lzma.compress(tars.archive(FILE)), "compressed with xz"),
        (bz2.compress(tars.archive(FILE)), "compressed with bzip2"),
        (gzip.compress(b"just some text\n" * 100), "checksum"),
        (gzip.compress(tars.archive(FILE))[:4] + b"xxxx" * 40, "broken"),
        (b"\x28\xb5\x2f\xfd" + b"x" * 600, "zstd frame"),
    ],
)
def test_what_is_not_a_tar(repository: Repository, data: bytes, match: str) -> None:
    """Anything else is said not to be a tar archive, and as far as possible what it is."""
    assert "is not a tar archive" in str(refused(repository, data, match))


# ------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (b"/etc/passwd", "/etc/passwd is an absolute path"),
        (b"../outside", "leads out"),
        (b"a/../../outside", "leads out"),
        (b"a/..", "leads out"),
        (b"..", "leads out"),
        (b"//a", "absolute"),
        (b"n" * 1025, "not a name that a file can have"),
        (b"/".join([b"d"] * 5000), "deeper than any directory|no file before it"),
        (b"a\x00b", "zero byte"),
    ],
)
def test_names_that_no_file_below_may_have(repository: Repository, name: bytes, match: str) -> None:
    """Such a name is refused with the whole archive, for files, directories and links alike, and never rewritten."""
    path = tars.pax({b"path": name})
    for member in (tars.member(b"x", b""), tars.header(b"x", b"5"), tars.header(b"x", b"2", link=b"t")):
        refused(repository, tars.archive(FILE, path + member), match)
    refused(repository, tars.archive(FILE, tars.pax({b"linkpath": name}) + tars.header(b"x", b"1")), match)
    if 0 not in name:
        refused(repository, tars.archive(tars.member(b"././@LongLink", name + b"\0", b"L") + FILE), match)


def test_a_name_in_the_plain_header_is_judged_too(repository: Repository) -> None:
    """The ustar name, with its prefix, leads out no more than a PAX path does."""
    refused(repository, tars.archive(tars.member(b"../x", b"")), "leads out")
    refused(repository, tars.archive(tars.header(b"x", tail=b"a/../..")), "leads out")
    refused(repository, tars.archive(tars.header(b"")), "not a name")


FIFO = tars.header(b"x", b"6")
LINK = tars.header(b"x", b"2", link=b"/tmp")
DIRECTORY = tars.header(b"x/", b"5")
PLAIN = tars.member(b"x", b"1")
INSIDE = tars.member(b"x/y", b"2")


@pytest.mark.parametrize(
    ("members", "match"),
    [
        ([LINK, INSIDE], "x is a symbolic link and cannot hold x/y"),
        ([PLAIN, INSIDE], "x is a file and cannot hold x/y"),
        ([FIFO, tars.header(b"x/d/", b"5")], "x is a FIFO and cannot hold x/d"),
        ([LINK, DIRECTORY], "x is both a symbolic link and a directory"),
        ([DIRECTORY, LINK], "x is both a directory and a symbolic link"),
        ([INSIDE, PLAIN], "x is both a directory and a file"),
        ([PLAIN, LINK], "x is both a file and a symbolic link"),
        ([LINK, PLAIN], "x is both a symbolic link and a file"),
        ([PLAIN, FIFO], "x is both a file and a FIFO"),
        ([tars.header(b"./", b"2", link=b"t")], "the root is not a symbolic link"),
        ([tars.header(b".", b"0")], "the root is not a file"),
    ],
)
def test_one_name_for_two_kinds_of_things(repository: Repository, members: list[bytes], match: str) -> None:
    """No file or link stands where others need a directory, nor does a name change its kind on the way."""
    refused(repository, tars.archive(*members), match)


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (tars.header(b"h", b"1", link=b"later"), "h is a hard link to later, which is no file before it"),
        (tars.header(b"h", b"1", link=b"h"), "no file before it"),
        (DIRECTORY + tars.header(b"h", b"1", link=b"x"), "no file before it"),
        (tars.header(b"h", b"1", link=b""), "not a name"),
        (tars.header(b"h", b"2"), "points to nothing"),
        (tars.pax({b"linkpath": b"a\0b"}) + tars.header(b"h", b"2"), "points to nothing"),
    ],
)
def test_links_that_cannot_be(repository: Repository, member: bytes, match: str) -> None:
    """A hard link names a file before it; a symbolic link has a target."""
    refused(repository, tars.archive(member, tars.member(b"later", b"")), match)


# ------------------------------------------------------------------------------------ headers that lie


def sparse(records: dict[bytes, bytes], data: bytes) -> bytes:
    return tars.pax(records) + tars.member(b"s", data)


ONE_ZERO = {b"GNU.sparse.major": b"1", b"GNU.sparse.minor": b"0", b"GNU.sparse.name": b"s"}


def one_zero(real: int, text: bytes, data: bytes = b"") -> bytes:
    return sparse(ONE_ZERO | {b"GNU.sparse.realsize": b"%d" % real}, tars.filled(text) + data)


def old_gnu(fields: bytes, data: bytes, *, real: int, more: bool = False) -> bytes:
    tail = bytes(41) + fields.ljust(96, b"\0") + (b"\1" if more else b"\0") + b"%011o\0" % real
    return tars.header(b"s", b"S", len(data), magic=b"ustar  \0", tail=tail) + tars.filled(data)


@pytest.mark.parametrize(
    ("member", "match"),
    [
        (tars.header(b"f", size=8)[:-1] + b"x", "checksum"),
        (tars.with_sum(tars.header(b"f", size=0)[:124] + b"9999999 \0   " + tars.header(b"f")[136:]), "number"),
        (tars.header(b"f", size=b"\xff" * 12), "negative"),
        (tars.header(b"f", uid=b"\x80\0\0\1\0\0\0\0"), "impossible number"),
        (tars.header(b"f", mtime=b"\x80" + b"\xff" * 11), "time is out of range"),
        (tars.header(b"f", b"M"), "unknown type b'M'"),
        (tars.pax({b"mtime": b"1e9"}) + FILE, "not a time"),
        (tars.pax({b"mtime": b"9" * 400}) + FILE, "not a number"),
        (tars.pax({b"size": b"-1"}) + FILE, "not a number"),
        (tars.pax({b"uid": b"99999999999"}) + FILE, "impossible number"),
        (tars.header(b"x", b"x", 20) + tars.filled(b"99 path=abc\n") + FILE, "as long as it says"),
        (tars.header(b"x", b"x", 20) + tars.filled(b"5 abcdefghijklmn\n") + FILE, "as long as it says"),
        (tars.header(b"x", b"x", 20) + tars.filled(b"what is this?\n") + FILE, "begin with its length"),
        (tars.header(b"x", b"x", 20) + tars.filled(b"8 a=bc\n\0x=y\n") + FILE, "as long as it says|after the end"),
        (tars.header(b"x", b"x", 0o77777777777) + FILE, "too large"),
        (tars.header(b"x", b"L", 17 * MIB) + FILE, "too large"),
        (tars.pax({b"SCHILY.xattr.": b"v"}) + FILE, "without a proper name"),
        (tars.pax({b"LIBARCHIVE.xattr.user.a": b"!"}) + FILE, "padding|base64|characters"),
        (tars.pax({b"comment": b'icc-store {"flags":-1}'}) + FILE, "comment of icc-store is broken"),
        (tars.pax({b"comment": b'icc-store {"kept":"8101c0"}'}) + FILE, "comment of icc-store is broken"),
        (tars.pax({b"comment": b'icc-store {"sha256":"%b"}' % (b"00" * 32)}) + FILE, "not what its digest says"),
        (tars.pax({b"comment": b'icc-store {"first_name":"2e2e2f61"}'}) + FILE, "leads out"),
        (tars.pax({b"comment": b"icc-store " + b"[" * 100_000}) + FILE, "comment of icc-store is broken"),
        (one_zero(100, b"1\n50\n60\n", bytes(60)), "does not fit"),
        (one_zero(100, b"2\n50\n10\n40\n10\n", bytes(20)), "not in order"),
        (one_zero(100, b"1\n0\n10\n", bytes(20)), "does not fit"),
        (one_zero(100, b"9999999999\n"), "too long"),
        (one_zero(100, b"3\n0\n1\n"), "map of a sparse file is broken|not in order|does not fit"),
        (one_zero(100, b"x" * 600), "broken"),
        (one_zero(1 << 63, b"0\n"), "does not fit"),
        (one_zero(1 << 63, b"1\n9223372036854775808\n0\n"), "does not fit"),
        (sparse({b"GNU.sparse.map": b"0,1,2", b"GNU.sparse.size": b"9"}, b"1"), "not in order"),
        (sparse({b"GNU.sparse.map": b"0,a", b"GNU.sparse.size": b"9"}, b"1"), "not a number"),
        (sparse({b"GNU.sparse.size": b"9"}, b"1"), "does not fit"),
        (old_gnu(b"%011o\0%011o\0" % (5, 9), bytes(9), real=10), "does not fit"),
        (old_gnu(b"%011o\0%011o\0" % (5, 1), b"1", real=10, more=True) + bytes(512), "not in order"),
        (tars.header(b"s", b"S", 0), "no map"),
    ],
)
def test_headers_that_lie(repository: Repository, member: bytes, match: str) -> None:
    """What an archive says of itself is checked; the message tells what is wrong, after which member."""
    error = refused(repository, tars.archive(FILE, member), match)
    assert "at or after" in str(error)


def test_an_archive_that_ends_in_an_extended_header(repository: Repository) -> None:
    """Records that belong to nothing are a sign of a cut."""
    refused(repository, tars.archive(FILE, tars.pax({b"path": b"x"})), "ends after an extended header")


# ------------------------------------------------------------------------------------ cut off and damaged

SMALL: Files = {"a": b"one", "b" * 120: b"two" * 700, "d/c": b"three"}


@pytest.mark.parametrize("form", list(ArchiveFormat))
def test_cut_off_anywhere(repository: Repository, form: ArchiveFormat) -> None:
    """Cut at any byte, an archive is refused, up to the last byte that says it has ended."""
    out = io.BytesIO()
    export_tar(repository, take(repository, SMALL).record, target=out.write, options=ExportOptions(form=form))
    data = out.getvalue()
    needed = (
        len(data) if form is not ArchiveFormat.TAR else data.rindex(b"\0three".lstrip(b"\0")) // 512 * 512 + 512 + 1
    )
    count = len(repository.snapshots())
    for cut in range(0, min(needed, len(data)), 1 if form is not ArchiveFormat.TAR else 7):
        with pytest.raises(ArchiveError):
            import_tar(repository, io.BytesIO(data[:cut]))
    assert len(repository.snapshots()) == count
    import_tar(repository, io.BytesIO(data))


@pytest.mark.parametrize("form", [ArchiveFormat.GZIP, ArchiveFormat.ZSTD])
def test_a_damaged_checksum_at_the_end(repository: Repository, form: ArchiveFormat) -> None:
    """The compressed stream is checked to its own end, behind the end mark of the archive."""
    data = bytearray(compressed(tars.archive(FILE) + bytes(100_000), form))
    data[-6 if form is ArchiveFormat.GZIP else -2] ^= 1
    refused(repository, bytes(data), "broken|cannot be read")


@given(st.data())
@settings(max_examples=300)
def test_any_damage_is_an_archive_error_or_none(workshop: Repository, data: st.DataObject) -> None:
    """Whatever bytes are changed, the import succeeds or ends with an ArchiveError, never with another."""
    good = bytearray(
        tars.archive(
            tars.pax({b"path": b"p" * 130, b"mtime": b"1.5", b"SCHILY.xattr.user.a": b"v"})
            + tars.member(b"x", b"1" * 600),
            one_zero(5000, b"2\n0\n10\n4000\n1000\n", bytes(1010)),
            tars.header(b"dir/", b"5"),
            tars.header(b"l", b"2", link=b"t"),
            tars.header(b"h", b"1", link=b"dir/../s"[7:]),
        )
    )
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(good) - 1))
        good[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        for start in range(0, len(good) - 511, 512):
            if good[start + 257 : start + 262] == b"ustar":
                good[start : start + 512] = tars.with_sum(bytes(good[start : start + 512]))
    try:
        import_tar(workshop, io.BytesIO(bytes(good)))
    except ArchiveError:
        pass


# ------------------------------------------------------------------------------------ too much of it


def test_a_hole_of_any_size_is_only_a_hole(repository: Repository) -> None:
    """Eight exabytes of nothing take no time and no room."""
    result = import_tar(repository, io.BytesIO(tars.archive(one_zero((1 << 63) - 1, b"1\n5\n3\n", b"abc"))))
    assert lookup(repository.objects, result.snapshot.record, b"s").entry.size == (1 << 63) - 1


def test_a_hole_cannot_keep_the_hasher_busy(repository: Repository) -> None:
    """A forged digest of a huge hole is refused, not worked out for years."""
    comment = b'icc-store {"sha256":"%b"}' % (b"00" * 32)
    records = ONE_ZERO | {b"GNU.sparse.realsize": b"%d" % (1 << 60), b"comment": comment}
    refused(repository, tars.archive(sparse(records, tars.filled(b"0\n"))), "digest")


def test_a_map_of_many_pieces_is_bounded(repository: Repository) -> None:
    """A map with more stretches than any file needs is refused before it fills the memory."""
    text = b"2000000\n" + b"".join(b"%d\n1\n" % (2 * number) for number in range(1_050_000))
    refused(repository, tars.archive(one_zero(1 << 40, text, bytes(1_050_000))), "too long")


@pytest.mark.parametrize("form", [ArchiveFormat.GZIP, ArchiveFormat.ZSTD])
def test_a_bomb_in_a_header_takes_no_memory(repository: Repository, form: ArchiveFormat) -> None:
    """A gigabyte of zeros where an extended header should be costs a few MiB and a message."""
    out = io.BytesIO()
    writer = ArchiveWriter(out.write, form)
    writer.write(tars.header(b"x", b"x", 0o7777777777))
    for _ in range(300):
        writer.write(bytes(MIB))
    writer.close()
    tracemalloc.start()
    try:
        refused(repository, out.getvalue(), "too large")
        assert tracemalloc.get_traced_memory()[1] < 80 * MIB
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("form", list(ArchiveFormat))
def test_a_large_file_streams_in_bounded_memory(tmp_path: Path, form: ArchiveFormat) -> None:
    """A file of 192 MiB in and out again: the process stays below its size."""
    create_repository(tmp_path / "repository")
    script = f"""
import io, os, random, sys, threading
from pathlib import Path
from icc_store.codec.archive_stream import ArchiveFormat, ArchiveWriter
from icc_store.opening import open_repository
from icc_store.operations.tar_export import ExportOptions, export_tar
from icc_store.operations.tar_import import import_tar
from tests.support import tars
form = ArchiveFormat({str(form)!r})
inside, outside = os.pipe()
def fill():
    with os.fdopen(outside, "wb") as pipe:
        writer = ArchiveWriter(pipe.write, form)
        writer.write(tars.header(b"f", size=192 << 20))
        chance = random.Random(5)
        for _ in range(192):
            writer.write(chance.randbytes(1 << 17) * 8)
        writer.write(bytes(1024))
        writer.close()
threading.Thread(target=fill).start()
with open_repository(Path({str(tmp_path / "repository")!r})) as repository:
    record = import_tar(repository, os.fdopen(inside, "rb")).snapshot.record
    total = 0
    def count(data):
        global total
        total += len(data)
    export_tar(repository, record, target=count, options=ExportOptions(form=form, threads=2))
peak = [line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1]
mapped = [line for line in open("/proc/self/status") if line.startswith("RssFile")][0].split()[1]
print(int(peak) - int(mapped), total)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, cwd=root)
    peak_kib, total = map(int, done.stdout.split())
    assert peak_kib < 150 * 1024, done.stdout
    assert total > 10 * MIB
    assert form is not ArchiveFormat.TAR or total > 192 * MIB


# ------------------------------------------------------------------------------------ gc at the same time


def test_gc_while_an_archive_comes_in(tmp_path: Path, repository: Repository) -> None:
    """What gc took away meanwhile is not referred to: the import fails, says so, and works the next time."""
    record = take(repository, {"f": b"kept only by what is forgotten"}).record
    out = io.BytesIO()
    export_tar(repository, record, target=out.write)
    repository.annotate(repository.snapshots()[0].id, Subject.FORGOTTEN, "purge")
    collect = """
import sys
from pathlib import Path
from icc_store.opening import open_repository
from icc_store.operations.gc import collect
with open_repository(Path(sys.argv[1])) as repository:
    collect(repository)
"""

    class Slow(io.BytesIO):
        done = False

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(1024)
            if self.tell() > 1024 and not self.done:  # the file's chunk was found to be there
                self.done = True
                subprocess.run([sys.executable, "-c", collect, str(repository.path)], check=True)
            return data

    slow = Slow(out.getvalue())
    with pytest.raises(IccStoreError, match="run the command again"):
        import_tar(repository, slow)
    assert slow.done
    assert repository.snapshots() == []
    assert import_tar(repository, io.BytesIO(out.getvalue())).snapshot.record.root == record.root


def test_tarfile_takes_a_cut_for_the_end() -> None:
    """The reason for a reader of our own: Python's tarfile reads half an archive without a word."""
    data = tars.archive(FILE, tars.member(b"second", b"x"))
    with tarfile.open(fileobj=io.BytesIO(data[:1200])) as archive:
        assert archive.getnames() == ["a file"]
