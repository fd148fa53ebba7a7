"""Entries and the maps that stand for them."""

from __future__ import annotations

import stat
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.serial import pack, unpack
from icc_store.errors import BlockDamaged
from icc_store.ids import ObjectId
from icc_store.model.entry import Entry, entry_from_wire, in_order, with_storable_time
from icc_store.model.tree import Owners, TreePart, pack_part, parse_tree

ID = ObjectId(bytes(range(32)))
names = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)
numbers = st.integers(0, (1 << 32) - 1)
times = st.integers(-(1 << 63), (1 << 64) - 1)
permissions = st.integers(0, 0o7777)
identities = st.binary(min_size=32, max_size=32).map(ObjectId)
texts = st.binary(min_size=1, max_size=100).filter(lambda text: b"\0" not in text)
attributes = st.dictionaries(texts, st.binary(max_size=20), min_size=1, max_size=3)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    """Any entry that a snapshot can hold."""
    kind = draw(st.sampled_from((stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK)))
    entry = Entry(draw(names), kind | draw(permissions), draw(numbers), draw(numbers), mtime_ns=draw(times))
    if kind == stat.S_IFREG:
        entry.size = draw(st.integers(0, (1 << 63) - 1))
        if entry.size and draw(st.booleans()):
            entry.content_list = draw(identities)
        elif entry.size:
            entry.chunk = draw(identities)
        entry.digest = draw(st.none() | st.binary(min_size=32, max_size=32))
        entry.flags = draw(st.integers(0, 3))
    elif kind == stat.S_IFDIR:
        entry.subtree = draw(identities)
    elif kind == stat.S_IFLNK:
        entry.target = draw(texts)
    elif kind != stat.S_IFIFO:
        entry.device = (draw(numbers), draw(numbers))
    if draw(st.booleans()):
        entry.xattrs = draw(attributes)
    elif draw(st.booleans()):
        entry.xattrs_id = draw(identities)
    if kind != stat.S_IFDIR and draw(st.booleans()):
        entry.hard_link = b"/".join(draw(st.lists(names, min_size=1, max_size=4)))
    entry.kept = draw(st.dictionaries(st.integers(128, 1000), st.binary(max_size=5) | st.integers(0, 9), max_size=3))
    return entry


@given(entries())
def test_an_entry_comes_back(entry: Entry) -> None:
    """Every field survives the map and its packed form, those of newer programs too."""
    wire = entry.to_wire()
    assert list(wire) == sorted(wire)
    assert entry_from_wire(unpack(pack(wire))) == entry
    assert in_order(dict(reversed(wire.items()))) == wire


def file(**changes: Any) -> dict[int, Any]:
    """The map of a good file, with keys (k7=...) changed, or removed by None."""
    wire = Entry(b"name", stat.S_IFREG | 0o644, 1, 2, 3, 4, chunk=ID).to_wire()
    wire |= {int(key[1:]): value for key, value in changes.items()}
    return {key: value for key, value in wire.items() if value is not None}


DIR, LINK, CHAR, FIFO = stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o600, stat.S_IFIFO | 0o600

WRONG = {
    "no name": file(k1=None),
    "no mode": file(k2=None),
    "no time": file(k6=None),
    "a name with a slash": file(k1=b"a/b"),
    "a name with a zero byte": file(k1=b"a\0b"),
    "the name of this directory": file(k1=b"."),
    "the name of the one above": file(k1=b".."),
    "a name as text": file(k1="name"),
    "a name as a number": file(k1=7),
    "a mode as text": file(k2="644"),
    "a mode below zero": file(k2=-1),
    "a mode of 33 bits": file(k2=1 << 32 | stat.S_IFREG),
    "a mode that is a truth value": file(k2=True),
    "no type in the mode": file(k2=0o644),
    "a uid below zero": file(k3=-1),
    "a uid of 33 bits": file(k3=1 << 32),
    "a gid as a fraction": file(k4=1.5),
    "a size below zero": file(k5=-1),
    "a size of 64 bits": file(k5=1 << 63),
    "a size as text": file(k5="3"),
    "a time as text": file(k6="yesterday"),
    "a time as a fraction": file(k6=0.5),
    "no content": file(k7=None),
    "two contents": file(k8=ID),
    "half an id": file(k7=bytes(16)),
    "an id as text": file(k7="x" * 32),
    "an id as a list": file(k7=[1] * 32),
    "a file with a subtree": file(k9=ID),
    "a directory without a subtree": file(k2=DIR, k7=None),
    "a directory with content": file(k2=DIR, k5=0, k9=ID),
    "a file with a target": file(k10=b"there"),
    "a file with device numbers": file(k11=[1, 2]),
    "a directory with a size": file(k2=DIR, k7=None, k9=ID),
    "a pipe with a digest": file(k2=FIFO, k5=0, k7=None, k16=bytes(32)),
    "a link without a target": file(k2=LINK, k5=0, k7=None),
    "a link whose target is text": file(k2=LINK, k5=0, k7=None, k10="there"),
    "a link whose target has a zero byte": file(k2=LINK, k5=0, k7=None, k10=b"a\0b"),
    "a link with content": file(k2=LINK, k5=0, k10=b"there"),
    "a device without numbers": file(k2=CHAR, k5=0, k7=None),
    "a device with one number": file(k2=CHAR, k5=0, k7=None, k11=[1]),
    "a device with three numbers": file(k2=CHAR, k5=0, k7=None, k11=[1, 2, 3]),
    "a device with wide numbers": file(k2=CHAR, k5=0, k7=None, k11=[1 << 32, 1]),
    "a device of text": file(k2=CHAR, k5=0, k7=None, k11=["a", "b"]),
    "a device that is a number": file(k2=CHAR, k5=0, k7=None, k11=5),
    "a pipe with content": file(k2=FIFO, k5=0),
    "attributes that are a list": file(k12=[b"a", b"b"]),
    "attributes named by text": file(k12={"user.a": b"b"}),
    "an attribute whose name has a zero byte": file(k12={b"user.a\0b": b"b"}),
    "a time after all seconds": file(k6=((1 << 63) * 10**9).to_bytes(13, signed=True)),
    "a time of thousands of digits": file(k6=b"\x7f" + b"\xff" * 4999),
    "attributes of text": file(k12={b"user.a": "b"}),
    "an attribute object that is none": file(k13=b"short"),
    "a hard link upwards": file(k14=b"../../etc/passwd"),
    "a hard link to the root": file(k14=b""),
    "an absolute hard link": file(k14=b"/etc/passwd"),
    "a hard link with an empty part": file(k14=b"a//b"),
    "a hard link to this directory": file(k14=b"a/./b"),
    "a hard link with a zero byte": file(k14=b"a\0"),
    "a hard link as text": file(k14="a"),
    "flags as text": file(k15="1"),
    "half a digest": file(k16=bytes(16)),
    "an unknown key below 128": file(k17=1),
    "key zero": file(k0=1),
    "a negative key": file(k1=b"name") | {-1: 1},
    "a key of text": file() | {"name": b"x"},
    "a key of bytes": file() | {b"name": b"x"},
}


def test_the_good_one_is_good() -> None:
    """The wrong entries below are refused for what is wrong with them."""
    assert entry_from_wire(file()).size == 3
    assert entry_from_wire(file(k200=[1])).kept == {200: [1]}


@pytest.mark.parametrize("wire", WRONG.values(), ids=WRONG)
def test_a_wrong_entry_is_refused(wire: dict[int, Any]) -> None:
    """What is missing, unknown, contradictory or dangerous raises BlockDamaged."""
    with pytest.raises(BlockDamaged):
        entry_from_wire(wire)


@pytest.mark.parametrize("wire", [None, [1, 2], b"x", 5, "text"])
def test_what_is_no_map_is_refused(wire: Any) -> None:
    """An entry is a map."""
    with pytest.raises(BlockDamaged):
        entry_from_wire(wire)


@pytest.mark.parametrize(
    "time", [0, -1, -(1 << 63), (1 << 64) - 1, 1 << 64, -(1 << 63) - 1, 10**20, -(1 << 63) * 10**9]
)
def test_any_time_is_kept(time: int) -> None:
    """Some file systems hold the year 5000; a time beyond 64 bits does not stop a snapshot, nor is it changed."""
    entry = Entry(b"old", stat.S_IFREG | 0o644, mtime_ns=time)
    parsed = parse_tree(pack_part([entry.to_wire()], Owners()))
    assert isinstance(parsed, TreePart)
    assert entry_from_wire(parsed.entries[0]) == entry
    assert (with_storable_time(entry.to_wire()) == entry.to_wire()) == (-(1 << 63) <= time < 1 << 64)
