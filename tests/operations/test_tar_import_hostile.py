"""Archives that are broken, or made to deceive: each is refused with its own message, and leaves no snapshot."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icc_store.codec.archive_stream import ArchiveFormat, ArchiveWriter
from icc_store.errors import ArchiveError
from icc_store.limits import MIB
from icc_store.model.repository import Repository
from icc_store.opening import create_repository, open_repository
from icc_store.operations.tar_export import ExportOptions, export_tar
from icc_store.operations.tar_import import import_tar
from tests.support import tars
from tests.support.snapshots import Files, take

FILE = tars.member(b"a file", b"content")


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
        (gzip.compress(b"just some text\n" * 100, mtime=0), "checksum"),
        (gzip.compress(tars.archive(FILE), mtime=0)[:4] + b"xxxx" * 40, "broken"),
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
        (tars.sparse_one_zero(100, b"1\n50\n60\n", bytes(60)), "does not fit"),
        (tars.sparse_one_zero(100, b"2\n50\n10\n40\n10\n", bytes(20)), "not in order"),
        (tars.sparse_one_zero(100, b"1\n0\n10\n", bytes(20)), "does not fit"),
        (tars.sparse_one_zero(100, b"9999999999\n"), "too long"),
        (tars.sparse_one_zero(100, b"3\n0\n1\n"), "map of a sparse file is broken|not in order|does not fit"),
        (tars.sparse_one_zero(100, b"x" * 600), "broken"),
        (tars.sparse_one_zero(1 << 63, b"0\n"), "does not fit"),
        (tars.sparse_one_zero(1 << 63, b"1\n9223372036854775808\n0\n"), "does not fit"),
        (tars.sparse({b"GNU.sparse.map": b"0,1,2", b"GNU.sparse.size": b"9"}, b"1"), "not in order"),
        (tars.sparse({b"GNU.sparse.map": b"0,a", b"GNU.sparse.size": b"9"}, b"1"), "not a number"),
        (tars.sparse({b"GNU.sparse.size": b"9"}, b"1"), "does not fit"),
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
            tars.sparse_one_zero(5000, b"2\n0\n10\n4000\n1000\n", bytes(1010)),
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


def test_tarfile_takes_a_cut_for_the_end() -> None:
    """The reason for a reader of our own: Python's tarfile reads half an archive without a word."""
    data = tars.archive(FILE, tars.member(b"second", b"x"))
    with tarfile.open(fileobj=io.BytesIO(data[:1200])) as archive:
        assert archive.getnames() == ["a file"]
