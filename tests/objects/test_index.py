"""Index rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.errors import BlockDamaged
from icc_store.ids import KEY_SIZE
from icc_store.limits import MAX_OBJECTS_PER_BLOCK
from icc_store.objects.index import ROW_SIZE, Location, as_base_row, is_base_row, pack_row, unpack_row, unpack_rows

keys = st.binary(min_size=KEY_SIZE, max_size=KEY_SIZE)
places = st.builds(Location, st.integers(1, 2**31 - 1), st.integers(0, MAX_OBJECTS_PER_BLOCK - 1), st.booleans())


@given(keys, places)
def test_a_row_comes_back(key: bytes, place: Location) -> None:
    """Key, block, position and the base mark survive, in 22 bytes."""
    row = pack_row(key, place.block, place.position, base_only=place.base_only)
    assert len(row) == ROW_SIZE == 22
    assert unpack_row(row) == (key, place)
    assert is_base_row(row) == place.base_only


@given(st.lists(st.tuples(keys, places)))
def test_many_rows_come_back_as_one_does(rows: list[tuple[bytes, Location]]) -> None:
    """Key, block and position of each, whether it is a base or not."""
    packed = [pack_row(key, place.block, place.position, base_only=place.base_only) for key, place in rows]
    assert list(unpack_rows(packed)) == [(key, place.block, place.position) for key, place in rows]


@given(keys, keys, places, places)
def test_rows_sort_by_key_then_worth(one: bytes, other: bytes, here: Location, there: Location) -> None:
    """The order of rows is the order of keys; among copies of an object a full one comes before a mere base."""
    first = pack_row(one, here.block, here.position, base_only=here.base_only)
    second = pack_row(other, there.block, there.position, base_only=there.base_only)
    worth = (one, here.base_only, here.block, here.position), (other, there.base_only, there.block, there.position)
    assert (first < second) == (worth[0] < worth[1])


@given(keys, places)
def test_a_row_becomes_a_base(key: bytes, place: Location) -> None:
    """Marking a row changes nothing else in it."""
    row = as_base_row(pack_row(key, place.block, place.position, base_only=place.base_only))
    assert unpack_row(row) == (key, Location(place.block, place.position, base_only=True))


@pytest.mark.parametrize("row", [b"", bytes(21), bytes(23)])
def test_a_row_of_another_size_is_damage(row: bytes) -> None:
    """A row is never read as something it is not."""
    with pytest.raises(BlockDamaged):
        unpack_row(row)
    with pytest.raises(BlockDamaged):
        list(unpack_rows([bytes(ROW_SIZE), row]))
