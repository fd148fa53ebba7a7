"""Snapshot records and annotations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import ObjectId
from icc_store.model.record import (
    PURGE,
    Annotation,
    Counters,
    SnapshotClass,
    SnapshotRecord,
    Subject,
    combine,
    pack_annotation,
    pack_record,
    unpack_annotation,
    unpack_record,
)

ID, OTHER = ObjectId(bytes(range(32))), ObjectId(bytes(32))
identities = st.binary(min_size=32, max_size=32).map(ObjectId)
text = st.text(st.characters(exclude_categories=()), max_size=20).map(
    lambda value: value.encode("utf-8", "replace").decode("utf-8")
) | st.binary(max_size=10).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
numbers = st.integers(0, (1 << 63) - 1)
json_like = st.dictionaries(text, st.integers(-5, 5) | text | st.lists(text, max_size=2), max_size=3)
counters = st.builds(Counters, **dict.fromkeys(Counters.__dataclass_fields__, numbers))

records = st.builds(
    SnapshotRecord,
    seq=numbers,
    time_ns=st.integers(-(1 << 63), (1 << 63) - 1),
    root=identities,
    source=text,
    host=text,
    kind=st.sampled_from(SnapshotClass),
    name=text,
    tags=st.lists(text, max_size=3).map(tuple),
    note=text,
    parent=st.none() | identities,
    paths=st.lists(st.binary(max_size=20), max_size=3).map(tuple),
    root_entry=st.none() | st.just({0: [{1: "ada"}, {}], 1: b"", 2: 0o40755, 3: 1, 4: 1, 6: 5}),
    exclusions=json_like,
    counters=counters,
    warnings=st.lists(st.tuples(st.binary(max_size=20), text), max_size=3).map(tuple),
    program=text,
    manifest=st.none() | json_like.filter(bool),
    annotations_before=st.integers(0, (1 << 63) - 1),
    kept=st.dictionaries(st.integers(129, 500), st.integers(0, 9), max_size=2),
)


@given(records)
def test_a_record_comes_back(record: SnapshotRecord) -> None:
    """Every field survives, text that is not UTF-8 and fields of newer programs among them."""
    data = pack_record(record)
    assert unpack_record(data) == record
    assert pack_record(unpack_record(data)) == data
    assert list(unpack(data)) == sorted(unpack(data))


def good(**changes: Any) -> dict[int, Any]:
    """The map of a good record with keys (k1=...) changed, or removed by None."""
    wire = unpack(pack_record(SnapshotRecord(1, 2, ID, "source", "host", parent=OTHER, paths=(b"/a",), tags=("t",))))
    wire |= {int(key[1:]): value for key, value in changes.items()}
    return {key: value for key, value in wire.items() if value is not None}


WRONG: dict[str, Any] = {
    "nothing": None,
    "a list": [1],
    "an empty map": {},
    "no number": good(k1=None),
    "a number as text": good(k1="1"),
    "a time as text": good(k2="now"),
    "no root": good(k3=None),
    "a short root": good(k3=b"x"),
    "a root of text": good(k3="x" * 32),
    "a source of bytes": good(k4=b"s"),
    "no class": good(k6=None),
    "an unknown class": good(k6="other"),
    "a class that is a list": good(k6=["full"]),
    "tags as text": good(k8="abc"),
    "tags of numbers": good(k8=[1]),
    "a short parent": good(k10=b"x"),
    "paths of text": good(k11=["/a"]),
    "paths as bytes": good(k11=b"/a"),
    "a root entry that is a list": good(k12=[]),
    "exclusions as a list": good(k13=[]),
    "no counters": good(k14=None),
    "counters as a map": good(k14={}),
    "counters of text": good(k14=["1"]),
    "warnings of text": good(k15=["oh"]),
    "warnings of three columns": good(k15=[[b"a", "b", "c"]]),
    "warnings the wrong way round": good(k15=[["a", b"b"]]),
    "a manifest of text": good(k17="x"),
    "an unknown key below 128": good(k18=1),
    "key zero": good(k0=1),
    "a key of text": good() | {"seq": 1},
}


def test_the_good_one_is_good() -> None:
    """The wrong records below are refused for what is wrong with them."""
    assert unpack_record(pack(good())).parent == OTHER
    assert unpack_record(pack(good(k200=[1]))).kept == {200: [1]}


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_wrong_record_is_refused(value: Any) -> None:
    """What is not a record raises BlockDamaged, whatever it is."""
    with pytest.raises(BlockDamaged):
        unpack_record(pack(value))


def test_what_says_nothing_is_left_out() -> None:
    """Empty text and empty lists take no bytes and come back as such, source and host too."""
    wire = unpack(pack_record(SnapshotRecord(1, 2, ID, "", "")))
    assert set(wire) == {1, 2, 3, 6, 14}
    assert unpack_record(pack(wire)) == SnapshotRecord(1, 2, ID, "", "")


def test_counters_may_be_added() -> None:
    """A record with more counters than are known, or fewer, is read: they are only told."""
    assert unpack_record(pack(good(k14=list(range(20))))).counters == Counters(*range(11))
    assert unpack_record(pack(good(k14=[5]))).counters == Counters(files=5)


def test_a_root_of_any_time_is_stored() -> None:
    """A root directory from the year 5000 does not stop a snapshot."""
    record = SnapshotRecord(1, 2, ID, "s", "h", root_entry={1: b"", 2: 0o40755, 3: 0, 4: 0, 6: 10**20})
    stored = unpack_record(pack_record(record)).root_entry
    assert stored is not None
    assert int.from_bytes(stored[6]) == 10**20


annotations = st.builds(
    Annotation,
    snapshot=identities,
    subject=st.sampled_from(Subject) | text,
    value=text | st.integers(-5, 1 << 60) | st.booleans(),
    time_ns=numbers,
    seq=numbers,
)


@given(annotations)
def test_an_annotation_comes_back(annotation: Annotation) -> None:
    """Every field survives, also a subject that only a newer program knows."""
    assert unpack_annotation(pack_annotation(annotation)) == annotation


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [ID, "tag", "x", 1, 2],
        {1: b"short", 2: "tag", 3: "x", 4: 1, 5: 2},
        {1: "x" * 32, 2: "tag", 3: "x", 4: 1, 5: 2},
        {1: ID, 2: 5, 3: "x", 4: 1, 5: 2},
        {1: ID, 2: "tag", 3: b"x", 4: 1, 5: 2},
        {1: ID, 2: "tag", 3: [1], 4: 1, 5: 2},
        {1: ID, 2: "tag", 3: None, 4: 1, 5: 2},
        {1: ID, 2: "tag", 3: "x", 4: "1", 5: 2},
        {1: ID, 2: "tag", 3: "x", 4: 1},
        {1: ID, 2: "tag", 3: "x", 4: 1, 5: 2, 6: 7},
        {1: ID, 2: "tag", 3: "x", 4: 1, 5: 2, "six": 7},
    ],
)
def test_a_wrong_annotation_is_refused(value: Any) -> None:
    """What is not an annotation raises BlockDamaged, whatever it is."""
    with pytest.raises(BlockDamaged):
        unpack_annotation(pack(value))


RECORD = SnapshotRecord(1, 2, ID, "s", "h", tags=("born",), note="first")


def said(*facts: tuple[str, str | int | bool]) -> list[Annotation]:
    return [Annotation(ID, subject, value, 1000 + seq, seq) for seq, (subject, value) in enumerate(facts)]


def test_the_newest_word_counts() -> None:
    """Annotations apply in the order of their numbers, however they are given."""
    facts = said((Subject.NOTE, "second"), (Subject.PIN, True), (Subject.NOTE, "third"), (Subject.PIN, False))
    snapshot = combine(ID, RECORD, reversed(facts))
    assert (snapshot.note, snapshot.pinned) == ("third", False)
    assert snapshot.annotations == tuple(facts)


def test_tags_come_and_go() -> None:
    """Tags keep their order, stand once, and can be taken off, those of the record too."""
    snapshot = combine(ID, RECORD, said((Subject.TAG, "a"), (Subject.TAG, "a"), (Subject.UNTAG, "born")))
    assert snapshot.tags == ("a",)


def test_any_number_of_tags() -> None:
    """Taking off thousands of thousands of tags takes time by their number, and not by its square."""
    record = replace(RECORD, tags=tuple(f"t{number}" for number in range(40_000)))
    off = [Annotation(ID, Subject.UNTAG, tag, 1, seq) for seq, tag in enumerate(record.tags[1:])]
    assert combine(ID, record, off).tags == ("t0",)


def test_forgotten_is_a_time_that_can_be_taken_back() -> None:
    """A snapshot is forgotten from the moment it was said; a purge lies before any of them."""
    assert combine(ID, RECORD, said((Subject.FORGOTTEN, True))).forgotten_ns == 1000
    assert combine(ID, RECORD, said((Subject.FORGOTTEN, True), (Subject.FORGOTTEN, False))).forgotten_ns is None
    assert combine(ID, RECORD, said((Subject.FORGOTTEN, PURGE))).forgotten_ns == 0


def test_suspicion_and_proof_are_kept() -> None:
    """What verify found stands with the snapshot until it is taken back."""
    snapshot = combine(ID, RECORD, said((Subject.SUSPECT, "a block is broken"), (Subject.VERIFIED, True)))
    assert (snapshot.suspect, snapshot.verified_ns) == ("a block is broken", 1001)
    assert combine(ID, RECORD, said((Subject.SUSPECT, "x"), (Subject.SUSPECT, ""))).suspect == ""


def test_the_newest_drill_counts() -> None:
    """A drill that found something wrong says so until the next one, and each says when it was."""
    failed = combine(ID, RECORD, said((Subject.DRILLED, True), (Subject.DRILLED, "a: it is gone")))
    assert (failed.drilled_ns, failed.drill_failure) == (1001, "a: it is gone")
    passed = combine(ID, RECORD, said((Subject.DRILLED, "a: it is gone"), (Subject.DRILLED, True)))
    assert (passed.drilled_ns, passed.drill_failure) == (1001, "")


def test_an_unknown_subject_changes_nothing() -> None:
    """What a newer program has to say about a snapshot does not hide it from this one."""
    snapshot = combine(ID, RECORD, said(("colour", "green")))
    assert (snapshot.tags, snapshot.note, snapshot.forgotten_ns) == (("born",), "first", None)
