"""Archives that other programs wrote, and how what is in them is understood."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from icc_store.codec.posix_acl import ACCESS, DEFAULT
from icc_store.errors import SourceError
from icc_store.model.content import content_bytes, plain_bytes
from icc_store.model.record import SnapshotRecord
from icc_store.model.repository import Repository
from icc_store.model.walk import Found, lookup, root_of, walk
from icc_store.operations.snapshot import take_snapshot
from icc_store.operations.tar_import import ImportOptions, ImportResult, import_tar
from tests.support import tars
from tests.support.rich_tree import make_rich_tree


def imported(repository: Repository, data: bytes, **options: Any) -> ImportResult:
    return import_tar(repository, io.BytesIO(data), options=ImportOptions(**options))


def found_at(repository: Repository, result: ImportResult, path: bytes) -> Found:
    return lookup(repository.objects, result.snapshot.record, path)


def content_of(repository: Repository, result: ImportResult, path: bytes) -> bytes:
    entry = found_at(repository, result, path).entry
    return b"".join(plain_bytes(content_bytes(repository.objects, entry.chunk, entry.content_list)))


GNU = [
    ["--format=gnu", "-S"],
    ["--format=oldgnu", "-S"],
    ["--format=pax", "-S", "--xattrs", "--acls"],
    ["--format=pax", "-S", "--sparse-version=0.0"],
    ["--format=pax", "-S", "--sparse-version=0.1"],
    ["--format=pax", "-S", "--sparse-version=1.0"],
]
LIBARCHIVE = [["--format", "pax", "--xattrs", "--acls"]]
"""In its other formats libarchive writes holes out, and modes that ACLs have changed."""


@pytest.mark.parametrize("arguments", [["tar", *more] for more in GNU] + [["bsdtar", *more] for more in LIBARCHIVE])
def test_archives_of_other_programs(tmp_path: Path, repository: Repository, arguments: list[str]) -> None:
    """An archive of a directory by GNU tar or bsdtar becomes the tree that a snapshot of the directory has."""
    if arguments[0] == "bsdtar" and not shutil.which("bsdtar"):
        pytest.skip("bsdtar is not installed; GNU tar is tried in any case")
    top = make_rich_tree(tmp_path / "rich")
    if "oldgnu" in arguments[1] or arguments[0] == "bsdtar":
        (top / "before 1970").unlink()  # libarchive writes another time, the old format none
    snapshot = take_snapshot(repository, [top]).snapshot
    assert snapshot is not None
    subprocess.run(
        [*arguments, "-cf", str(tmp_path / "x.tar"), "-C", str(top), "."],
        check=True,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    result = import_tar(repository, tmp_path / "x.tar")
    exact = "pax" in " ".join(arguments)
    keeps_attributes = "--xattrs" in arguments
    left = comparable(repository, snapshot.record, exact=exact, attributes=keeps_attributes)
    right = comparable(repository, result.snapshot.record, exact=exact, attributes=keeps_attributes)
    assert left == right
    assert result.warnings == ()


def comparable(repository: Repository, record: SnapshotRecord, *, exact: bool, attributes: bool) -> dict[bytes, Any]:
    """What two snapshots of one directory have in common when the archive's order and format came in between.

    Which of several names was stored first depends on the order; some formats keep whole seconds and no attributes.
    """
    found = {}
    groups: dict[bytes, set[bytes]] = {}
    for one in walk(repository.objects, root_of(record)):
        entry = one.entry
        first = entry.hard_link or one.path
        groups.setdefault(first, set()).add(one.path)
        wire = entry.to_wire()
        for key in (9, 14, *(() if attributes else (12, 13))):
            wire.pop(key, None)
        if not exact:
            wire[6] //= 10**9
        found[one.path] = [wire, one.owners]
    for members in groups.values():
        for path in members:
            found[path].append(frozenset(members))
    return found


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_archives_of_tarfile(repository: Repository, form: int) -> None:
    """What Python's tarfile writes, in each of its formats, is read: long names, links, large numbers, times."""
    deep = "/".join(["directory"] * 9)
    infos = []
    for name, kind, link in [
        (deep + "/file", tarfile.REGTYPE, ""),
        (deep * 2 + "/file", tarfile.REGTYPE, ""),
        ("sym", tarfile.SYMTYPE, deep + "/file"),
        ("hard", tarfile.LNKTYPE, deep + "/file"),
        ("pipe", tarfile.FIFOTYPE, ""),
        ("contiguous", tarfile.CONTTYPE, ""),
    ]:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.mtime, info.uid, info.mode = kind, link, 1_600_000_000, 70_000, 0o640
        infos.append((info, b"content" if kind in {tarfile.REGTYPE, tarfile.CONTTYPE} else b""))
    if form != tarfile.USTAR_FORMAT:
        info = tarfile.TarInfo("n" * 200)
        info.uid, info.uname = 5_000_000, "u" * 20
        infos.append((info, b"x"))
    result = imported(repository, tars.of_tarfile(infos, form))
    for times in (1, 2):
        assert content_of(repository, result, deep.encode() * times + b"/file") == b"content"
    assert content_of(repository, result, b"contiguous") == b"content"
    assert found_at(repository, result, b"sym").entry.target == deep.encode() + b"/file"
    assert found_at(repository, result, b"hard").entry.hard_link == deep.encode() + b"/file"
    assert found_at(repository, result, b"pipe").entry.mode == stat.S_IFIFO | 0o640
    assert found_at(repository, result, b"hard").entry.mtime_ns == 1_600_000_000 * 10**9
    if form != tarfile.USTAR_FORMAT:
        owned = found_at(repository, result, b"n" * 200)
        assert (owned.entry.uid, owned.owners.users) == (5_000_000, {5_000_000: "u" * 20})


def test_archives_of_the_old_format(repository: Repository) -> None:
    """A V7 archive has no magic, marks directories by a slash and sums signed bytes; it is read too."""
    block = bytearray(tars.header(b"old\xff/", b"\0", magic=bytes(8)))
    signed = sum(byte - 256 if byte > 127 else byte for byte in block[:148] + b" " * 8 + block[156:])
    block[148:156] = b"%06o\0 " % signed
    result = imported(repository, tars.archive(bytes(block), tars.member(b"old\xff/file", b"x", b"\0")))
    assert found_at(repository, result, b"old\xff").entry.is_directory
    assert content_of(repository, result, b"old\xff/file") == b"x"


def test_gzip_in_pieces(repository: Repository) -> None:
    """Several gzip streams behind each other, filled up with zeros, are one archive."""
    data = tars.archive(tars.member(b"f", b"x" * 5000))
    result = imported(repository, gzip.compress(data[:700]) + gzip.compress(data[700:]) + bytes(3000))
    assert content_of(repository, result, b"f") == b"x" * 5000


# ------------------------------------------------------------------------------------ how it is understood


def test_directories_that_are_not_in_the_archive_are_made_up(repository: Repository) -> None:
    """A directory only mentioned in a path gets mode 755 and the owner and time of the first thing in it."""
    member = tars.header(b"a/b/c", uid=b"0001750\0", mtime=b"%011o\0" % 77, uname=b"ada")
    result = imported(repository, tars.archive(member, tars.member(b"a/d", b"")))
    for path in (b"a", b"a/b"):
        found = found_at(repository, result, path)
        assert (found.entry.mode, found.entry.uid, found.entry.mtime_ns) == (stat.S_IFDIR | 0o755, 1000, 77 * 10**9)
        assert found.owners.users == {1000: "ada"}
    late = imported(repository, tars.archive(member, tars.header(b"a/", b"5", mode=b"0000700\0")))
    assert found_at(repository, late, b"a").entry.mode == stat.S_IFDIR | 0o700


def test_dots_and_slashes_that_lead_nowhere_are_harmless(repository: Repository) -> None:
    """`./a//b/./c` is the stored path a/b/c, and `./` is the root."""
    data = tars.archive(
        tars.header(b"./", b"5", mode=b"0000711\0", uname=b"ada"),
        tars.member(b"./a//b/./c", b"x"),
        tars.member(b"./d", b"", b"1", link=b"./a/b/c"),
    )
    result = imported(repository, data)
    assert content_of(repository, result, b"a/b/c") == b"x"
    assert found_at(repository, result, b"d").entry.hard_link == b"a/b/c"
    root = root_of(result.snapshot.record)
    assert (root.entry.permissions, root.owners.users) == (0o711, {0: "ada"})


def test_what_comes_twice_counts_as_it_comes_last(repository: Repository) -> None:
    """`tar -r` adds newer versions at the end; the last one of a name is meant."""
    data = tars.archive(
        tars.member(b"f", b"old"), tars.header(b"d/", b"5"), tars.member(b"d/x", b"1"),
        tars.member(b"f", b"new"), tars.header(b"d/", b"5", mode=b"0000700\0"),
    )  # fmt: skip
    result = imported(repository, data)
    assert content_of(repository, result, b"f") == b"new"
    assert content_of(repository, result, b"d/x") == b"1"
    assert found_at(repository, result, b"d").entry.permissions == 0o700


def test_lists_of_access_given_as_text(repository: Repository) -> None:
    """ACLs of bsdtar and GNU tar, by name or number, become attributes; the mode shows the mask as Linux does."""
    acl = b"user::rw-,user:root:rwx:0,user:1234:r--,group::---,mask::r-x,other::---"
    default = b"user::rwx\ngroup::r-x\nother::r-x\n"
    data = tars.archive(
        tars.pax({b"SCHILY.acl.access": acl, b"SCHILY.acl.default": default}) + tars.header(b"d/", b"5"),
        tars.pax({b"SCHILY.acl.access": b"user::rw-,group::r--,other::r--"}) + tars.member(b"trivial", b""),
        tars.pax({b"SCHILY.acl.access": b"user::rw-,user:nobody-knows:r--,other::r--"}) + tars.member(b"odd", b""),
    )
    result = imported(repository, data)
    entry = found_at(repository, result, b"d").entry
    assert entry.permissions == 0o654
    assert entry.xattrs is not None
    assert set(entry.xattrs) == {ACCESS, DEFAULT}
    assert entry.xattrs[DEFAULT].hex() == "0200000001000700ffffffff04000500ffffffff20000500ffffffff"
    assert found_at(repository, result, b"trivial").entry.xattrs is None
    assert [path for path, _ in result.warnings] == [b"odd"]
    assert "nobody-knows" in result.warnings[0][1]


def test_attributes_of_libarchive(repository: Repository) -> None:
    """Attributes in libarchive's own records, base64 under quoted names, are taken."""
    data = tars.archive(tars.pax({b"LIBARCHIVE.xattr.user.a%20b": b"AP8"}) + tars.member(b"f", b""))
    assert found_at(repository, imported(repository, data), b"f").entry.xattrs == {b"user.a b": b"\x00\xff"}


def test_many_attributes_become_an_object(repository: Repository) -> None:
    """A set of more than 256 bytes stands apart, as in any snapshot."""
    data = tars.archive(tars.pax({b"SCHILY.xattr.user.a": bytes(300)}) + tars.member(b"f", b""))
    entry = found_at(repository, imported(repository, data), b"f").entry
    assert entry.xattrs is None
    assert entry.xattrs_id is not None


def test_global_headers_hold_for_all_that_follow(repository: Repository) -> None:
    """A global record counts until another replaces it; a member's own counts more; an empty one takes it away."""
    data = tars.archive(
        tars.pax({b"uname": b"ada", b"comment": b"0123456789abcdef0123456789abcdef01234567"}, b"g"),
        tars.member(b"a", b""),
        tars.pax({b"uname": b"eve"}) + tars.member(b"d/b", b""),
        tars.pax({b"uname": b""}) + tars.member(b"e/c", b""),
    )
    result = imported(repository, data)
    assert [found_at(repository, result, path).owners.users for path in (b"a", b"d/b", b"e/c")] == [
        {0: "ada"}, {0: "eve"}, {},
    ]  # fmt: skip


def test_what_follows_the_end_mark_is_reported(repository: Repository) -> None:
    """Something behind the end of an archive is not read, and that is said."""
    one = tars.archive(tars.member(b"f", b"x"))
    assert imported(repository, one + bytes(5000)).warnings == ()
    ((path, message),) = imported(repository, one + one).warnings
    assert (path, "after its end mark" in message) == (b"", True)


def test_a_file_that_cannot_be_read(tmp_path: Path, repository: Repository) -> None:
    """A missing file and a directory are errors of the source; nothing is stored."""
    for path in (tmp_path / "nothing.tar", tmp_path):
        with pytest.raises(SourceError, match="cannot be read"):
            import_tar(repository, path)
    assert repository.snapshots() == []
