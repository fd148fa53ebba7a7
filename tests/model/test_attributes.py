"""Extended attributes, wherever an entry keeps them."""

from __future__ import annotations

import pytest

from icc_store.codec.serial import pack
from icc_store.errors import BlockDamaged, ObjectMissing
from icc_store.ids import Kind, ObjectId
from icc_store.model.attributes import attributes_of
from icc_store.model.entry import Entry
from tests.support.shelf import Shelf

REGULAR = 0o100644


def test_few_stand_in_the_entry_many_in_an_object() -> None:
    """None, some in the entry, many in an object: the same map comes back."""
    shelf = Shelf()
    many = {b"user.%d" % number: bytes(100) for number in range(10)}
    identity = shelf.add(pack(many), kind=Kind.XATTRS)
    assert attributes_of(shelf.reader, Entry(b"f", REGULAR)) == {}
    assert attributes_of(shelf.reader, Entry(b"f", REGULAR, xattrs={b"user.x": b"1"})) == {b"user.x": b"1"}
    assert attributes_of(shelf.reader, Entry(b"f", REGULAR, xattrs_id=identity)) == many


@pytest.mark.parametrize("data", [pack([1, 2]), pack({b"a": 1}), pack({"a": b"b"}), pack({b"a\0": b""}), b"\xc1"])
def test_an_object_that_is_no_map_of_bytes_is_damage(data: bytes) -> None:
    """Whatever else stands in the object is damage, and a missing one is missing."""
    shelf = Shelf()
    identity = shelf.add(data, kind=Kind.XATTRS)
    with pytest.raises(BlockDamaged):
        attributes_of(shelf.reader, Entry(b"f", REGULAR, xattrs_id=identity))
    with pytest.raises(ObjectMissing):
        attributes_of(shelf.reader, Entry(b"f", REGULAR, xattrs_id=ObjectId(b"x" * 32)))
