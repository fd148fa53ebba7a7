"""Verify on damaged repositories: every damage is found, named by file and snapshot, and survived."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from icc_store.errors import DamageError, RepositoryRolledBack
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.model.entry import Entry
from icc_store.model.paths import is_within
from icc_store.model.record import Snapshot, SnapshotRecord, Subject
from icc_store.model.repository import Repository
from icc_store.model.tree import Owners, pack_part
from icc_store.model.walk import lookup
from icc_store.objects.index import pack_row
from icc_store.opening import open_repository
from icc_store.operations.verify import Finding, Severity, VerifyOptions, VerifyResult, verify
from icc_store.operations.verify_index import leading_nowhere
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import contents, fill, snap
from tests.support.program import Program
from tests.support.shelf import noise, words

FILES = {f"d{number % 3}/{number:03}": words(number, 4000) for number in range(200)} | {"large": noise(1, 4_000_000)}
READ_ONLY = VerifyOptions(mend=False)


@pytest.fixture
def snapshots(repository: Repository, tmp_path: Path) -> list[Snapshot]:
    """Two snapshots; the second has one file more and one changed a little."""
    fill(tmp_path / "source", FILES)
    first = snap(repository, tmp_path / "source")
    fill(tmp_path / "source", FILES | {"new": b"n" * 500, "d0/000": FILES["d0/000"] + b"more"})
    return [first, snap(repository, tmp_path / "source")]


def entry(repository: Repository, snapshot: Snapshot, path: bytes) -> Entry:
    return lookup(repository.objects, snapshot.record, path).entry


def named(finding: Finding) -> set[tuple[ObjectId, bytes]]:
    return {(file.snapshot, file.path) for file in finding.files}


def concerns(finding: Finding, snapshot: Snapshot, path: bytes) -> bool:
    """Whether a path, or a directory above it whose tree is damaged as well, is among the named files."""
    return any(one == snapshot.id and is_within(path, named_path) for one, named_path in named(finding))


def only(result: VerifyResult) -> Finding:
    """The one finding that there is."""
    assert len(result.findings) == 1, result.findings
    return result.findings[0]


# ---------------------------------------------------------------- blocks


@pytest.mark.parametrize("share", [0.0, 0.002, 0.5, 1.0])
def test_a_changed_bit_in_any_block_is_found(repository: Repository, snapshots: list[Snapshot], share: float) -> None:
    """Wherever a block is damaged, that block is the one finding that says so, and all modes that read it agree."""
    for number in damage.block_numbers(repository):
        damage.damage_block(repository, number, share)
        result = verify(repository, options=READ_ONLY)
        assert any(finding.block == number for finding in result.findings), number
        assert result.damaged
        damage.damage_block(repository, number, share)  # and back
    assert verify(repository).findings == ()


def test_a_damaged_block_names_files_and_snapshots(repository: Repository, snapshots: list[Snapshot]) -> None:
    """Files of both snapshots whose contents stand in the block are counted, the first of them named."""
    chunk = entry(repository, snapshots[1], b"new").chunk
    damage.damage_block(repository, damage.block_of(repository, chunk))
    finding = only(verify(repository, options=READ_ONLY))
    assert finding.severity is Severity.DAMAGE
    assert concerns(finding, snapshots[1], b"new")
    assert {file.snapshot for file in finding.files} == {snapshots[1].id}
    first = damage.block_of(repository, entry(repository, snapshots[0], b"d1/001").chunk)
    damage.damage_block(repository, first)
    finding = next(one for one in verify(repository, options=READ_ONLY).findings if one.block == first)
    assert finding.files_total > 20 == len(finding.files)
    assert finding.objects > 10


def test_what_is_written_against_damage_is_damaged(repository: Repository, snapshots: list[Snapshot]) -> None:
    """A delta whose base is in a damaged block cannot be read either, and its file is named."""
    base = damage.block_of(repository, entry(repository, snapshots[0], b"d0/000").chunk)
    delta = damage.block_of(repository, entry(repository, snapshots[1], b"d0/000").chunk)
    assert base != delta
    damage.damage_block(repository, base)
    findings = verify(repository, options=READ_ONLY).findings
    about_delta = next(finding for finding in findings if finding.block == delta)
    assert concerns(about_delta, snapshots[1], b"d0/000")
    assert not concerns(about_delta, snapshots[0], b"d0/000")


def test_a_damaged_tree_names_its_directory(repository: Repository, snapshots: list[Snapshot]) -> None:
    """Where a directory's own tree cannot be read, the directory is named."""
    tree = entry(repository, snapshots[0], b"d1").subtree
    damage.damage_block(repository, damage.block_of(repository, tree))
    for one in (None, snapshots[0], snapshots[1]):
        result = verify(repository, one, options=READ_ONLY)
        assert result.damaged
        assert any(path in {b"", b"d1"} for finding in result.findings for _, path in named(finding))


def test_a_missing_block(repository: Repository, snapshots: list[Snapshot]) -> None:
    """A block that the index speaks of and that is not there is one finding, by structure alone too."""
    number = damage.block_of(repository, entry(repository, snapshots[0], b"d1/001").chunk)
    damage.change(repository, lambda txn: txn.delete_block(number))
    for options in (READ_ONLY, VerifyOptions(structure=True, mend=False)):
        finding = next(one for one in verify(repository, options=options).findings if one.block == number)
        assert "is missing" in finding.what
        assert finding.files_total > 0
    assert verify(repository, snapshots[0], options=READ_ONLY).damaged


# ---------------------------------------------------------------- the index


@pytest.mark.parametrize("path", [b"d1/001", b"large", b"d2"])
def test_missing_rows(repository: Repository, snapshots: list[Snapshot], path: bytes) -> None:
    """A chunk, list or tree that is not in the index is missing, for both snapshots that share it, in every mode."""
    found = entry(repository, snapshots[0], path)
    damage.lose(repository, found.chunk or found.content_list or found.subtree)
    both = {(snapshots[0].id, path), (snapshots[1].id, path)}
    for options in (READ_ONLY, VerifyOptions(structure=True, mend=False)):
        finding = only(verify(repository, options=options))
        assert "missing from the index" in finding.what
        assert named(finding) == both
    assert named(only(verify(repository, snapshots[1], options=READ_ONLY))) == {(snapshots[1].id, path)}


def test_many_missing_rows_are_one_finding(repository: Repository, snapshots: list[Snapshot]) -> None:
    """Losing hundreds of rows makes one finding that counts them, not hundreds."""
    rows = [
        row
        for name in FILES
        for row in damage.rows_of(repository, entry(repository, snapshots[0], name.encode()).chunk or snapshots[0].id)
        if name.startswith("d")
    ]
    damage.change(repository, lambda txn: txn.delete_rows(rows))
    findings = verify(repository, options=READ_ONLY).findings
    assert len(findings) == 2  # the other one is a delta against one of them
    finding = findings[1]
    assert finding.what.startswith("200 chunks missing")
    assert (finding.objects, len(finding.files)) == (200, 20)
    assert finding.files_total == 200 + 199  # one file is another in the second snapshot


def test_rows_that_point_elsewhere(repository: Repository, snapshots: list[Snapshot]) -> None:
    """A row that points to another object, beyond a block's end or into no block is found."""
    chunk = entry(repository, snapshots[0], b"d1/001").chunk
    other = entry(repository, snapshots[0], b"d1/004").chunk
    assert chunk is not None
    key, number = chunk[:KEY_SIZE], damage.block_of(repository, other)
    for row in (pack_row(key, number, 0), pack_row(key, number, 30_000), pack_row(b"k" * 16, 77_777, 0)):
        rows = damage.rows_of(repository, chunk)
        damage.change(repository, lambda txn, rows=rows, row=row: (txn.delete_rows(rows), txn.insert_rows([row])))
        result = verify(repository, options=READ_ONLY)
        if row[:KEY_SIZE] == key:
            assert (snapshots[0].id, b"d1/001") in {file for finding in result.findings for file in named(finding)}
        else:
            assert any("missing" in finding.what for finding in result.findings)
        damage.change(repository, lambda txn, rows=rows, row=row: (txn.delete_rows([row]), txn.insert_rows(rows)))
    assert verify(repository, options=READ_ONLY).findings == ()


@pytest.mark.parametrize("ahead", [1, 1000, 1 << 30])
def test_rows_beyond_the_last_block(repository: Repository, snapshots: list[Snapshot], ahead: int) -> None:
    """A row into a block that was never written is found and removed: a later block would get that number.

    Then what it names would be taken for stored.
    """
    chunk = entry(repository, snapshots[0], b"d1/001").chunk
    assert chunk is not None
    last = repository.objects.transaction.last_block()
    astray = [
        pack_row(b"k" * 16, last + ahead, 3),
        pack_row(chunk[:KEY_SIZE], last + ahead, 0),
        pack_row(b"0" * 16, 0, 0),
    ]
    damage.change(repository, lambda txn: txn.insert_rows(astray))
    for options in (READ_ONLY, VerifyOptions(structure=True, mend=False)):
        finding = only(verify(repository, options=options))
        assert finding.what.startswith("3 index rows point to blocks that are not there")
        assert finding.severity is Severity.DAMAGE
        assert named(finding) == set()  # the file has another row, which is right
    assert verify(repository).disowned == 3
    assert verify(repository).findings == ()
    assert contents(repository, snapshots[0]) == FILES


def test_rows_into_blocks_that_came_meanwhile(repository: Repository, snapshots: list[Snapshot]) -> None:
    """What somebody commits while the index is read leads somewhere after all."""
    rows = damage.rows_of(repository, snapshots[1].record.root)
    assert leading_nowhere(repository, rows) == []
    gone = pack_row(rows[0][:KEY_SIZE], repository.objects.transaction.last_block() + 1, 0)
    assert leading_nowhere(repository, [gone]) == []  # and is not in the index any more


# ---------------------------------------------------------------- records


def test_a_damaged_record_is_taken_from_its_copy(repository: Repository, snapshots: list[Snapshot]) -> None:
    """One of the two copies of a record may break: it is told once, mended, and then nothing is wrong any more."""
    damage.damage_block(repository, damage.block_of(repository, snapshots[0].id))
    assert [one.id for one in repository.snapshots()] == [one.id for one in snapshots]
    findings = verify(repository).findings
    assert any("its second copy is whole" in finding.what for finding in findings)
    assert [one.id for one in repository.snapshots()] == [one.id for one in snapshots]
    assert verify(repository).findings == ()
    key, data = damage.copies_of(repository)[-1]
    damage.change(repository, lambda txn: txn.put(Table.COPIES, key, data[:-1] + bytes((data[-1] ^ 1,))))
    assert any("second copy" in finding.what for finding in verify(repository).findings)
    assert verify(repository).findings == ()
    damage.change(repository, lambda txn: txn.clear(Table.COPIES))
    assert len(verify(repository).findings) == len(snapshots)
    assert verify(repository).findings == ()


def test_a_record_of_which_nothing_is_left(repository: Repository, snapshots: list[Snapshot]) -> None:
    """Without either copy the whole snapshot is named as lost, and the others are checked all the same."""
    damage.damage_block(repository, damage.block_of(repository, snapshots[0].id))
    damage.change(repository, lambda txn: txn.clear(Table.COPIES))
    result = verify(repository, options=READ_ONLY)
    assert any((snapshots[0].id, b"") in named(finding) for finding in result.findings)
    assert result.snapshots == 1


def test_tables_that_disagree_with_records(repository: Repository, snapshots: list[Snapshot]) -> None:
    """A snapshot listed under another number, one that is not listed, an annotation of one that is gone."""
    repository.annotate(snapshots[0].id, Subject.TAG, "x")
    first = (1).to_bytes(8)
    damage.change(
        repository,
        lambda txn: (
            txn.delete(Table.SNAPSHOTS, first),
            txn.put(Table.SNAPSHOTS, b"\0" * 7 + b"\x09", snapshots[0].id),
            txn.put(Table.META, b"last snapshots", b"\0" * 7 + b"\x09"),
        ),
    )
    assert "is listed as 9, not 1" in only(verify(repository)).what
    damage.change(repository, lambda txn: txn.delete(Table.SNAPSHOTS, b"\0" * 7 + b"\x09"))
    result = verify(repository)
    assert not result.damaged
    told = " / ".join(finding.what for finding in result.findings)
    assert "1 record in blocks, but not listed" in told
    assert "which is gone" in told
    assert "belong to no listed snapshot" in told


def test_a_damaged_annotation_is_dropped(repository: Repository, snapshots: list[Snapshot]) -> None:
    """An annotation that cannot be read would keep every command from listing; it is told and dropped."""
    repository.annotate(snapshots[0].id, Subject.TAG, "one")
    repository.annotate(snapshots[0].id, Subject.TAG, "two")
    lost = ObjectId(dict(repository.objects.transaction.items(Table.ANNOTATIONS))[(1).to_bytes(8)])
    damage.damage_block(repository, damage.block_of(repository, lost))
    assert any("what it said is lost" in finding.what for finding in verify(repository).findings)
    assert repository.snapshots()[0].tags == ("two",)
    verify(repository)
    assert verify(repository).findings == ()


@pytest.mark.parametrize(
    "data",
    [
        b"\x00",
        b"not msgpack",
        pack_part([{1: b"..", 2: 0o100644, 3: 0, 4: 0, 5: 1, 6: 0}], Owners()),
        pack_part([{1: b"f", 2: 0o100644, 3: 0, 4: 0, 5: 1, 6: 0, 7: b"short"}], Owners()),
        pack_part([{1: b"f", 2: 0o100644, 99: 1}], Owners()),
    ],
)
def test_a_tree_that_is_none(repository: Repository, data: bytes) -> None:
    """A tree whose id is right and whose bytes mean nothing is found, and what stands beside it is still checked."""
    with repository.adding() as run:
        bad = run.writer.add(Kind.TREE, data)
        entries = [
            Entry(b"bad", 0o040755, subtree=bad).to_wire(),
            Entry(b"gone", 0o100644, size=5, chunk=ObjectId(b"g" * 32)).to_wire(),
        ]
        root = run.writer.add(Kind.TREE, pack_part(entries, Owners()))
        made = run.commit(lambda seq: SnapshotRecord(seq, 0, root, "s", "h"))
    files = {file for finding in verify(repository, options=READ_ONLY).findings for file in named(finding)}
    assert files == {(made.id, b"bad"), (made.id, b"gone")}


# ---------------------------------------------------------------- mending


@pytest.mark.parametrize("path", [b"d1/001", b"large", b"d1", b""])
def test_what_is_damaged_is_stored_again(repository: Repository, tmp_path: Path, path: bytes) -> None:
    """After verify the next snapshot stores what is damaged again, old snapshots can be read, and the wreck goes."""
    fill(tmp_path / "source", FILES)
    snapshots = [snap(repository, tmp_path / "source"), snap(repository, tmp_path / "source")]
    found = entry(repository, snapshots[0], path)
    number = damage.block_of(repository, found.chunk or found.content_list or found.subtree)
    damage.damage_block(repository, number)
    assert verify(repository).disowned > 0
    assert [bool(one.suspect) for one in repository.snapshots()] == [True, True]
    third = snap(repository, tmp_path / "source")
    assert contents(repository, third) == FILES
    finding = only(verify(repository))
    assert (finding.block, finding.severity) == (number, Severity.INCONSISTENCY)
    assert verify(repository).findings == ()
    assert contents(repository, snapshots[0]) == FILES
    assert [bool(one.suspect) for one in repository.snapshots()] == [False, False, False]


def test_a_sample_names_files_too(repository: Repository, snapshots: list[Snapshot]) -> None:
    """A sample that comes across damage tells which files it concerns."""
    chunk = entry(repository, snapshots[1], b"new").chunk
    damage.damage_block(repository, damage.block_of(repository, chunk))
    finding = only(verify(repository, options=VerifyOptions(sample=1.0)))
    assert concerns(finding, snapshots[1], b"new")


# ---------------------------------------------------------------- the whole file


def test_an_older_database_put_back(repository: Repository, tmp_path: Path) -> None:
    """A database that is older than `head` says is refused with exit code 6, by verify as by every command."""
    fill(tmp_path / "source", {"a": b"1"})
    snap(repository, tmp_path / "source")
    data = repository.path / "data.mdb"
    old = data.read_bytes()
    fill(tmp_path / "source", {"a": b"2"})
    snap(repository, tmp_path / "source")
    repository.store.close()  # type: ignore[attr-defined]
    data.write_bytes(old)
    with pytest.raises(RepositoryRolledBack), open_repository(repository.path):
        pass
    done = Program(repository.path)("verify")
    assert done.code == DamageError.exit_code
    assert "older file" in done.err


def test_no_bit_of_the_database_crashes_it(repository: Repository, snapshots: list[Snapshot]) -> None:
    """Bits changed in LMDB's own pages end in findings, in a clear error, or in nothing lost; never in a crash."""
    chance = random.Random("bits")
    file = repository.path / "data.mdb"
    pages = damage.inner_pages(file)
    repository.store.close()  # type: ignore[attr-defined]
    whole = {name: (repository.path / name).read_bytes() for name in ("data.mdb", "head")}
    program = Program(repository.path)
    for _ in range(15):
        offset = chance.choice(pages) + chance.choice([chance.randrange(16), chance.randrange(4096)])
        damage.flip(file, offset, chance.randrange(8))
        done = program("verify", "--json")
        assert done.code in {0, DamageError.exit_code}, (offset, done)
        assert "Traceback" not in done.err
        assert "internal error" not in done.err
        for name, data in whole.items():
            (repository.path / name).unlink()
            (repository.path / name).write_bytes(data)
    assert program("verify").code == 0
