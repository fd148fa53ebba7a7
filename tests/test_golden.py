"""Bytes that must never drift, and repositories of every format version, read by the program and without it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from blake3 import blake3

from icc_store.ids import KEY_SIZE, Kind, from_hex
from icc_store.model.content import content_bytes
from icc_store.model.header import FORMAT_VERSION, parse_header
from icc_store.model.record import unpack_annotation, unpack_record
from icc_store.model.repository import Repository
from icc_store.model.tree import TreePart, parse_tree
from icc_store.model.walk import root_of, walk
from icc_store.objects.block import VERSION as BLOCK_VERSION
from icc_store.objects.block import decode_block, encode_block
from icc_store.objects.index import INDEX_VERSION, is_base_row, pack_row
from icc_store.opening import open_repository
from icc_store.operations.restore import restore
from icc_store.operations.restore_plan import RestoreOptions
from icc_store.operations.verify import verify
from icc_store.store.head import Head, write_head
from tests.golden import make_repository, make_vectors
from tests.golden.unpacked import unpack
from tests.support.described import Description, describe
from tests.support.shelf import REPOSITORY, Shelf

GOLDEN = Path(__file__).parent / "golden"
READER = Path(__file__).parent / "independent_reader.py"
STEPS = ("step 1", "step 2", "step 20")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The golden repository of this version, unpacked."""
    place = tmp_path_factory.mktemp("golden")
    unpack(GOLDEN / f"repository-v{FORMAT_VERSION}.tar.xz", place)
    return place / f"repository-v{FORMAT_VERSION}"


@pytest.fixture(scope="module")
def expected(golden: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((golden / "expected.json").read_text())
    return found


@pytest.fixture
def repository(golden: Path, tmp_path: Path) -> Iterator[Repository]:
    """The golden repository, open; a copy, since opening makes files."""
    shutil.copytree(golden, tmp_path / "repository")
    with open_repository(tmp_path / "repository") as opened:
        yield opened


# ---------------------------------------------------------------- bytes


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GOLDEN / f"vectors-v{FORMAT_VERSION}.json").read_text())
    return found


MADE_NOW = make_vectors.vectors()


@pytest.mark.parametrize("name", MADE_NOW)
def test_no_byte_drifts(vectors: dict[str, Any], name: str) -> None:
    """Ids, cuts, rows, blocks, trees, lists and records are made today as they were when the version was fixed."""
    assert MADE_NOW[name] == vectors[name]


def test_what_zstd_wrote_then_is_read_now(vectors: dict[str, Any]) -> None:
    """Frames of every sort, made by the zstd of that time, decode to the objects they were made of."""
    shelf = Shelf()
    block = decode_block(bytes.fromhex(vectors["compressed block"]), make_vectors.REPOSITORY)
    with shelf.store.write() as txn:
        txn.append_block(encode_block(REPOSITORY, block.frames))
        txn.insert_rows([pack_row(identity[:KEY_SIZE], 1, position) for position, identity in enumerate(block.ids)])
    objects = {from_hex(name): bytes.fromhex(data) for name, data in vectors["compressed objects"].items()}
    kinds = {identity: Kind(frame.kind) for frame in block.frames for identity in frame.ids}
    assert set(kinds) == set(objects)
    for identity, data in objects.items():
        assert shelf.fresh().get(identity, kinds[identity]) == data


def test_the_golden_bytes_are_read(vectors: dict[str, Any]) -> None:
    """What the program writes, it understands: tree, record, annotation, header."""
    tree = parse_tree(bytes.fromhex(vectors["tree part"]))
    assert isinstance(tree, TreePart)
    assert [entry[1] for entry in tree.entries] == [b"a", b"b", b"c", b"d", b"e"]
    assert not isinstance(parse_tree(bytes.fromhex(vectors["tree node"])), TreePart)
    assert unpack_record(bytes.fromhex(vectors["record"])) == make_vectors.record()
    assert unpack_annotation(bytes.fromhex(vectors["annotation"])).seq == 7
    assert parse_header(vectors["header"].encode(), Path("header")).repository == make_vectors.REPOSITORY


@pytest.mark.parametrize("name", make_vectors.directories())
def test_trees_are_cut_as_the_format_says(vectors: dict[str, Any], name: str) -> None:
    """The rule of docs/format.md, written down a second time, cuts in the golden places."""
    names, ends, size = make_vectors.directories()[name], [], 0
    for number, one in enumerate(names, 1):
        size += 1
        if size == 8192 or (size >= 512 and crc32(one) * 0x9E3779B1 % 2**32 < 2796202):
            ends.append(number)
            size = 0
    assert vectors["tree cuts"][name] == [*ends, *([len(names)] if size or not names else [])]


def test_head_is_as_the_format_says(tmp_path: Path) -> None:
    """64 bytes: mark, number, commit, repository, checksum."""
    write_head(tmp_path / "head", make_vectors.REPOSITORY, Head(5, make_vectors.UID))
    data = (tmp_path / "head").read_bytes()
    assert data[:8] == b"ICCHEAD1"
    assert data[8:16] == b"\5" + bytes(7)
    assert data[16:32] == make_vectors.UID
    assert data[32:48] == make_vectors.REPOSITORY
    assert data[48:] == blake3(data[:48]).digest()[:16]


# ---------------------------------------------------------------- repositories


def test_every_version_has_a_golden_repository() -> None:
    """A version of the format, of blocks or of the index that has no golden repository does not leave the house."""
    for version in range(1, FORMAT_VERSION + 1):
        assert (GOLDEN / f"repository-v{version}.tar.xz").exists()
        assert (GOLDEN / f"vectors-v{version}.json").exists()
    assert (FORMAT_VERSION, BLOCK_VERSION, INDEX_VERSION) == (1, 1, 1)


def test_the_golden_repository_has_everything(repository: Repository) -> None:
    """Every kind, codec and sort of row is in it, so reading it reads all of the format."""
    kinds, codecs, depths, delta_kinds = set(), set(), set(), set()
    txn = repository.objects.transaction
    for _, data in txn.blocks():
        for frame in decode_block(data, repository.header.repository).frames:
            kinds.add(frame.kind)
            codecs.add(frame.codec)
            depths.add(frame.depth)
            if frame.bases:
                delta_kinds.add(frame.kind)
    assert kinds == set(Kind)
    assert codecs == {0, 1, 2}
    assert depths >= set(range(17))
    assert delta_kinds >= {Kind.CHUNK, Kind.TREE, Kind.LIST}
    assert {is_base_row(row) for row in txn.rows()} == {True, False}


def test_the_golden_repository_is_sound(repository: Repository) -> None:
    """verify finds nothing."""
    assert verify(repository).findings == ()


def test_its_snapshots_are_listed(repository: Repository, expected: dict[str, Any]) -> None:
    """Names, ids, roots and what annotations say are as they were."""
    found = {snapshot.record.name: snapshot for snapshot in repository.snapshots()}
    assert len(found) == make_repository.VERSIONS + 2
    for name, facts in expected.items():
        snapshot = found[name if name != "crafted" else "everything else"]
        assert (snapshot.id.hex(), snapshot.record.root.hex()) == (facts["id"], facts["root"])
    last = found["step 20"]
    assert (last.tags, last.note, last.pinned) == (("kept",), "the last step", True)
    assert found["two paths"].tags == ()
    assert "purged" not in found


@pytest.mark.parametrize("name", STEPS)
def test_the_program_restores_it(repository: Repository, expected: dict[str, Any], tmp_path: Path, name: str) -> None:
    """What is restored is what was backed up: bytes, modes, times, links, attributes."""
    snapshot = repository.snapshot(from_hex(expected[name]["id"]))
    result = restore(repository, snapshot, options=RestoreOptions(target=tmp_path / "out"))
    assert result.failures == ()
    assert describe(tmp_path / "out") == on_this_machine(expected[name]["paths"], tmp_path)
    assert holes(tmp_path / "out")


@pytest.mark.parametrize("how", [[], ["--scan"]], ids=["tables", "scan"])
@pytest.mark.parametrize("name", STEPS)
def test_the_independent_reader_restores_it(
    golden: Path, expected: dict[str, Any], tmp_path: Path, name: str, how: list[str]
) -> None:
    """The same without this program, from the blocks in LMDB's tables or from the bare file."""
    done = independently([*how, golden, expected[name]["id"][:12], tmp_path / "out"])
    assert (done.returncode, done.stderr) == (0, "") or not keeps_attributes(tmp_path)
    assert describe(tmp_path / "out") == on_this_machine(expected[name]["paths"], tmp_path)
    assert holes(tmp_path / "out")


def test_the_independent_reader_lists_it(golden: Path) -> None:
    """All snapshots with their tags, none that was removed."""
    lines = independently([golden]).stdout.splitlines()
    assert len(lines) == make_repository.VERSIONS + 2
    assert any(line.endswith("golden step 20 kept") for line in lines)
    assert not any("purged" in line for line in lines)


def test_the_crafted_snapshot_is_read(repository: Repository, golden: Path, expected: dict[str, Any]) -> None:
    """Devices, odd times, digests and fields of newer programs are read by both, and as the same."""
    snapshot = repository.snapshot(from_hex(expected["crafted"]["id"]))
    entries = {found.entry.name: found.entry for found in walk(repository.objects, root_of(snapshot.record))}
    assert entries[b"block"].device == (8, 300)
    assert entries[b"digest"].digest == bytes(range(32))
    assert entries[b"kept"].kept == {128: [1, b"two"], 4000: "three"}
    assert entries[b"long ago"].mtime_ns == -(10**25)
    assert entries[b"year 5000"].mtime_ns == 95_617_584_000 * 10**9
    tall = entries[b"tall"]
    pieces = list(content_bytes(repository.objects, None, tall.content_list))
    assert pieces == [b"content with a digest\n", 1 << 40, b"content with a digest\n"]
    assert snapshot.record.kept == {200: b"from a newer program"}
    assert os.fsencode(snapshot.record.host) == b"h\xf6st"
    listed = independently([golden, expected["crafted"]["id"]]).stdout.splitlines()
    assert [line.split(maxsplit=2)[::2] for line in listed] == [
        [stat.filemode(entry.mode), os.fsdecode(name)] for name, entry in entries.items() if name
    ]


def test_the_independent_reader_is_independent() -> None:
    """It is short, and imports nothing of this program."""
    text = READER.read_text()
    assert len(text.splitlines()) < 400
    imported = {
        line.split()[1].partition(".")[0] for line in text.splitlines() if line.startswith(("import ", "from "))
    }
    assert imported - set(sys.stdlib_module_names) == {"lmdb", "msgpack", "zstandard", "blake3"}


def independently(arguments: list[Any]) -> subprocess.CompletedProcess[str]:
    """Run the reader as a person would who has only that file."""
    return subprocess.run(
        [sys.executable, "-I", os.fspath(READER), *map(str, arguments)],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env={"PATH": os.environ["PATH"], "PYTHONIOENCODING": "utf-8:surrogateescape"},
        check=False,
    )


def holes(top: Path) -> bool:
    """Whether the sparse file takes less room than its size."""
    status = (top / "image").stat()
    return status.st_blocks * 512 < status.st_size / 2


def on_this_machine(paths: Description, place: Path) -> Description:
    """What can be expected where the file system has no attributes for users."""
    if keeps_attributes(place):
        return paths
    return {path: {name: fact for name, fact in facts.items() if name != "xattrs"} for path, facts in paths.items()}


def keeps_attributes(place: Path) -> bool:
    try:
        os.setxattr(place, "user.try", b"")
    except OSError:
        return False
    return True
