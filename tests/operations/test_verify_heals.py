"""Damage, verify, snapshot of the same files, verify: whatever was damaged is whole again, and marked until then."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MIB, RACY_NS
from icc_store.model.content import parse_list
from icc_store.model.entry import XATTRS_ID
from icc_store.model.record import Snapshot
from icc_store.model.repository import Repository
from icc_store.model.tree import TreePart, parse_tree
from icc_store.model.walk import lookup
from icc_store.opening import open_repository
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.verify import Severity, VerifyOptions, verify
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import contents, fill, snap
from tests.support.memories import make_memory
from tests.support.program import Program
from tests.support.shelf import noise, words

FILES = {f"d{number % 3}/{number:03}": words(number, 4000) for number in range(60)}
FILES |= {"large": noise(1, 4 * MIB), "in many parts": noise(2, 3 * MIB)}
MANY = 3500
"""Names in a directory whose tree is a node over several parts."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files small and large."""
    fill(tmp_path / "source", FILES)
    return tmp_path / "source"


@pytest.fixture
def rich_source(source: Path) -> Path:
    """The same, with attributes and trees of every sort."""
    (source / "many").mkdir()
    for number in range(MANY):
        (source / f"many/{number:05}").symlink_to("x")
    os.setxattr(source / "d0/000", "user.notes", random.Random(1).randbytes(1000))
    os.setxattr(source, "user.own", random.Random(2).randbytes(1000))
    return source


def objects_of(repository: Repository, snapshot: Snapshot) -> dict[str, ObjectId]:
    """One object of every kind, and of every place one can have."""

    def entry(path: bytes) -> dict[int, object]:
        return lookup(repository.objects, snapshot.record, path).entry.to_wire()

    found = lookup(repository.objects, snapshot.record, b"large").entry.content_list
    assert found is not None
    many = lookup(repository.objects, snapshot.record, b"many").entry.subtree
    assert many is not None
    parts = parse_tree(repository.objects.get(many, Kind.TREE))
    assert not isinstance(parts, TreePart)
    root_entry = snapshot.record.root_entry
    assert root_entry is not None
    chunk = lookup(repository.objects, snapshot.record, b"d1/001").entry.chunk
    below = lookup(repository.objects, snapshot.record, b"d1").entry.subtree
    assert chunk is not None
    assert below is not None
    return {
        "chunk of a file": chunk,
        "content list": found,
        "chunk of a list": ObjectId(parse_list(repository.objects.get(found, Kind.LIST)).ids[3]),
        "tree": below,
        "root tree": snapshot.record.root,
        "node of a tree": many,
        "part of a tree": ObjectId(parts[1][1]),
        "attributes": ObjectId(entry(b"d0/000")[XATTRS_ID]),  # type: ignore[arg-type]
        "attributes of the root": ObjectId(root_entry[XATTRS_ID]),
    }


KINDS = (
    "chunk of a file",
    "content list",
    "chunk of a list",
    "tree",
    "root tree",
    "node of a tree",
    "part of a tree",
    "attributes",
    "attributes of the root",
)


@pytest.mark.parametrize("how", ["block", "row", "gone"])
def test_every_kind_of_object_heals(repository: Repository, rich_source: Path, how: str) -> None:
    """A damaged block, a lost index row, a lost block: suspect, stored again with unchanged stat data, whole, clean."""
    first = snap(repository, rich_source)
    second = snap(repository, rich_source)
    assert tuple(objects_of(repository, second)) == KINDS
    for kind in KINDS:
        victim = objects_of(repository, second)[kind]
        number = damage.block_of(repository, victim)
        if how == "block":
            damage.damage_block(repository, number)
        elif how == "row":
            damage.lose(repository, victim)
        else:
            damage.change(repository, lambda txn, number=number: txn.delete_block(number))
        assert verify(repository).damaged, kind
        assert [bool(one.suspect) for one in repository.snapshots()][:2] == [True, True], kind
        assert dict(repository.objects.transaction.items(Table.SEEN)) == {}, kind
        healed = snap(repository, rich_source)
        assert contents(repository, healed) == FILES, kind
        left = verify(repository)
        assert all(finding.severity is Severity.INCONSISTENCY for finding in left.findings), (kind, left.findings)
        assert verify(repository).findings == (), kind
        assert not any(one.suspect for one in repository.snapshots()), kind
        assert contents(repository, first) == FILES, kind


def test_a_base_of_deltas_heals(repository: Repository, source: Path) -> None:
    """What was written against a damaged object is stored again with it."""
    versions = []
    for number in range(4):
        (source / "d1/001").write_bytes(words(1, 4000) + b"%d" % number)
        os.utime(source / "d1/001", ns=(number * RACY_NS, number * RACY_NS))
        versions.append(snap(repository, source))
    chunk = lookup(repository.objects, versions[0].record, b"d1/001").entry.chunk
    damage.damage_block(repository, damage.block_of(repository, chunk))
    verify(repository)
    assert all(one.suspect for one in repository.snapshots())
    last = snap(repository, source)
    assert contents(repository, last)["d1/001"] == words(1, 4000) + b"3"
    assert contents(repository, versions[3])["d1/001"] == words(1, 4000) + b"3"
    verify(repository)
    state = [bool(one.suspect) for one in repository.snapshots()]
    assert state == [True, True, True, False, False]  # their versions of the file are on no disk any more


@pytest.mark.parametrize("kind", KINDS[:7])
@pytest.mark.parametrize("verified", [False, True], ids=["not verified", "verified"])
def test_a_new_version_of_what_is_damaged(
    repository: Repository, rich_source: Path, kind: str, *, verified: bool
) -> None:
    """Files change whose last versions, or the trees around them, are damaged: all of them are stored, then all heals.

    What is new has nothing to lean on there, so it is stored by itself.
    """
    victim = objects_of(repository, snap(repository, rich_source))[kind]
    damage.damage_block(repository, damage.block_of(repository, victim))
    if verified:
        assert verify(repository).damaged
    for name in ("d1/001", "large"):
        (rich_source / name).write_bytes(b"new " + FILES[name])
    (rich_source / "many/00001x").symlink_to("y")
    changed = FILES | {name: b"new " + FILES[name] for name in ("d1/001", "large")}
    made = snap(repository, rich_source)
    if not verified:
        assert verify(repository).damaged
        made = snap(repository, rich_source)
    assert contents(repository, made) == changed
    verify(repository)
    assert not repository.snapshot(made.id).suspect


def test_a_memory_heals_with_its_facts(repository: Repository, tmp_path: Path, clock: FixedClock) -> None:
    """What is remembered of the files of a memory is taken anew as well, so its manifest is complete again."""
    memory = make_memory(tmp_path / "memory")
    options = SnapshotOptions(source="memory", host="here")

    def taken() -> Snapshot:
        clock.sleep(60)
        made = take_snapshot(repository, [memory], options=options, clock=clock).snapshot
        assert made is not None
        return made

    taken()
    before = taken()
    facts = [key for key, _ in repository.objects.transaction.items(Table.SEEN) if key.startswith(b"facts ")]
    assert facts
    damage.damage_block(repository, damage.block_of(repository, before.record.root))
    verify(repository)
    assert dict(repository.objects.transaction.items(Table.SEEN)) == {}
    after = taken()
    assert before.record.manifest is not None
    assert after.record.manifest is not None
    assert after.record.root == before.record.root
    verify(repository)
    assert verify(repository).findings == ()


# ---------------------------------------------------------------- the mark


def test_the_mark_names_files(repository: Repository, source: Path) -> None:
    """A few of the files concerned stand in the mark itself, in the order of their paths, the others are counted."""
    snapshot = snap(repository, source)
    chunk = lookup(repository.objects, snapshot.record, b"d0/003").entry.chunk
    damage.lose(repository, chunk)
    verify(repository)
    assert repository.snapshot(snapshot.id).suspect == "d0/003 cannot be read back"
    for name in (b"d1/001", b"d1/004", b"d2/002", b"large"):
        found = lookup(repository.objects, snapshot.record, name).entry
        damage.lose(repository, found.chunk or found.content_list)
    verify(repository)
    mark = repository.snapshot(snapshot.id).suspect
    assert mark == "d0/003, d1/001, d1/004 and 2 more cannot be read back"
    notes = repository.objects.transaction.last_block()
    verify(repository)
    verify(repository, options=VerifyOptions(structure=True))
    verify(repository, options=VerifyOptions(sample=0.3))
    assert repository.snapshot(snapshot.id).suspect == mark
    assert repository.objects.transaction.last_block() == notes  # no word is said twice


def test_the_mark_of_a_lost_root(repository: Repository, source: Path) -> None:
    """Without the root's tree there are no files to be named."""
    snapshot = snap(repository, source)
    damage.lose(repository, snapshot.record.root)
    verify(repository)
    assert repository.snapshot(snapshot.id).suspect == "its root directory cannot be read back"


def test_the_mark_is_in_every_listing(tmp_path: Path) -> None:
    """`list`, `show` and their JSON say that a snapshot is suspect, and which files of it cannot be read back."""
    fill(tmp_path / "source", {"a": b"1" * 500, "b": b"2" * 500})
    program = Program(tmp_path / "r")
    program.good("init")
    program.good("snapshot", tmp_path / "source", "--name", "damaged")
    with open_repository(tmp_path / "r") as repository:
        record = repository.snapshots()[0].record
        damage.lose(repository, lookup(repository.objects, record, b"b").entry.chunk)
    assert program("verify").code == 6
    said = "b cannot be read back"
    listed = program.good("list")
    assert "suspect" in listed.out.splitlines()[1]
    assert f": {said}" in listed.out
    assert program.good("list", "--json").document["snapshots"][0]["suspect"] == said
    assert json.loads(program.good("list", "--json-lines").out)["suspect"] == said
    assert said in program.good("show", "latest").out
    program.good("snapshot", tmp_path / "source")
    assert program("verify").code == 0
    assert "suspect" not in program.good("list").out
