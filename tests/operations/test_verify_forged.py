"""Verify on repositories whose checksums are right, and whose records and trees say what cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from icc_store.codec.serial import pack, unpack
from icc_store.errors import DamageError
from icc_store.ids import Kind
from icc_store.model.record import pack_record
from icc_store.model.repository import Repository
from icc_store.model.walk import root_of
from icc_store.operations.verify import Severity, VerifyOptions, VerifyResult, verify
from tests.support.forged import DIRECTORY, LINK, Forge, content_list, wire


def damage(result: VerifyResult) -> list[str]:
    return [finding.what for finding in result.findings if finding.severity is Severity.DAMAGE]


@pytest.mark.parametrize(
    "root_entry",
    [
        {0: ".", 1: b"", 2: DIRECTORY, 3: 0, 4: 0, 6: 0},
        {0: [{0: b"root"}, {}], 1: b"", 2: DIRECTORY, 3: 0, 4: 0, 6: 0},
        {1: b"", 2: LINK, 3: 0, 4: 0, 6: 0},
        {1: b"", 2: DIRECTORY, 3: -1, 4: 0, 6: 0},
        {1: b"", 2: DIRECTORY, 3: 0, 4: 0, 6: 0, 7: [{}]},
    ],
)
def test_a_root_that_cannot_be_understood(repository: Repository, root_entry: dict[int, Any]) -> None:
    """What nobody can restore, because its root says what cannot be, is damage to verify as well."""
    forge = Forge(repository)
    forge.snapshot(forge.tree(wire(b"f")), root_entry=root_entry)
    (snapshot,) = repository.snapshots()
    with pytest.raises(DamageError):
        root_of(snapshot.record)
    for found in (verify(repository), verify(repository, snapshot)):
        assert any("the record of snapshot" in what for what in damage(found))


def test_a_record_that_cannot_be_understood(repository: Repository) -> None:
    """A record of which both copies are whole, and say what no record says, is a finding that ends nothing."""
    forge = Forge(repository)
    forge.snapshot(forge.tree(wire(b"f")))
    sound = repository.snapshots()[0].record
    forge.record(pack(unpack(pack_record(sound)) | {1: 2, 2: "noon"}), 2)
    assert any("nor can its second copy" in what for what in damage(verify(repository)))


@pytest.mark.parametrize("data", [b"\xc1", pack([1]), pack({b"a": 1}), pack({b"a\0b": b""})])
def test_attributes_that_cannot_be_understood(repository: Repository, data: bytes) -> None:
    """A set of attributes is taken apart, however verify is asked to look: without it no file has what it needs."""
    forge = Forge(repository)
    forge.snapshot(forge.tree(wire(b"f", key13=forge.put(Kind.XATTRS, data))))
    for options in (VerifyOptions(mend=False), VerifyOptions(structure=True, mend=False)):
        assert any("cannot be understood" in what for what in damage(verify(repository, options=options)))


def test_a_file_of_another_length(repository: Repository) -> None:
    """An entry must say how long its contents are: export goes by it, and a drill; the files are named."""
    forge = Forge(repository)
    chunk, other = forge.put(Kind.CHUNK, b"12345"), forge.put(Kind.CHUNK, b"123")
    listed = forge.put(Kind.LIST, content_list(0, [chunk, other], [5, 3]))
    files = [
        wire(b"list", key5=9, key8=listed),
        wire(b"long", key5=9, key7=chunk),
        wire(b"right", key5=5, key7=chunk),
        wire(b"right list", key5=8, key8=listed),
        wire(b"without", key7=chunk),
    ]
    forge.snapshot(forge.tree(*files))
    wrong = [b"list", b"long", b"without"]
    for snapshot in (None, repository.snapshots()[0]):
        found = verify(repository, snapshot, options=VerifyOptions(mend=False))
        assert any("not as long as the entry of the file says" in what for what in damage(found))
        assert [file.path for finding in found.findings for file in finding.files] == wrong
    found = verify(repository, options=VerifyOptions(structure=True, mend=False))
    assert [file.path for finding in found.findings for file in finding.files] == [b"list"]


@pytest.mark.parametrize("said", [{"key5": 9}, {"key5": 4}, {}])
def test_one_file_of_another_length(repository: Repository, said: dict[str, int]) -> None:
    """One such file among many right ones is found, and another of the same contents is right."""
    forge = Forge(repository)
    chunk = forge.put(Kind.CHUNK, b"12345")
    files = [wire(b"%d" % number, key5=5, key7=chunk) for number in range(5)]
    forge.snapshot(forge.tree(*files, wire(b"wrong", key7=chunk, **said)))
    found = verify(repository)
    assert [file.path for finding in found.findings for file in finding.files] == [b"wrong"]


def test_a_chunk_of_another_length(repository: Repository) -> None:
    """Each chunk must be as long as the list says, which no restore of it goes without; the file is named."""
    forge = Forge(repository)
    chunk, other = forge.put(Kind.CHUNK, b"12345"), forge.put(Kind.CHUNK, b"123")
    listed = forge.put(Kind.LIST, content_list(0, [other, chunk], [3, 6]))
    right = forge.put(Kind.LIST, content_list(0, [chunk, other, chunk], [5, 3, 5]))
    forge.snapshot(forge.tree(wire(b"f", key5=9, key8=listed), wire(b"right", key5=13, key8=right)))
    for snapshot in (None, repository.snapshots()[0]):
        found = verify(repository, snapshot)
        assert any("not what the lists or chunks in it say" in what for what in damage(found))
        assert [file.path for finding in found.findings for file in finding.files] == [b"f"]
