"""Content lists, as bytes and as the contents of a file."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.codec.chunking import ChunkerParameters
from icc_store.codec.serial import pack
from icc_store.errors import BlockDamaged, ObjectMissing
from icc_store.ids import Kind, ObjectId
from icc_store.limits import KIB, LIST_FANOUT_MAX, LIST_FANOUT_MIN, MIB
from icc_store.model.content import (
    HOLE,
    ContentList,
    content_bytes,
    ends_part,
    list_pieces,
    pack_list,
    parse_list,
    plain_bytes,
    read_list,
)
from tests.support.shelf import Shelf, noise

identities = st.binary(min_size=32, max_size=32).map(ObjectId)
chunkers = st.none() | st.just(ChunkerParameters(16 * KIB, 64 * KIB, 256 * KIB))


@given(st.integers(0, 15), st.lists(st.tuples(identities, st.integers(1, 1 << 40)), max_size=20), chunkers)
def test_a_list_comes_back(level: int, rows: list[tuple[ObjectId, int]], chunker: ChunkerParameters | None) -> None:
    """Level, ids, lengths and the root's chunker survive."""
    ids, lengths = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
    parsed = parse_list(pack_list(level, ids, lengths, chunker))
    assert parsed == ContentList(level, chunker, ids, lengths)
    assert parsed.size == sum(lengths)


def good(**changes: Any) -> dict[int, Any]:
    """The map of a good root with keys (k1=...) changed, or removed by None."""
    wire: dict[int, Any] = {1: 0, 2: [16 * KIB, 64 * KIB, 256 * KIB], 3: bytes(64), 4: [1, 2]}
    wire |= {int(key[1:]): value for key, value in changes.items()}
    return {key: value for key, value in wire.items() if value is not None}


WRONG: dict[str, Any] = {
    "nothing": None,
    "a list": [1, 2, 3],
    "a list of keys": [4, 1, 3],
    "no level": good(k1=None),
    "no ids": good(k3=None),
    "no lengths": good(k4=None),
    "an unknown key": good(k5=1),
    "a level below zero": good(k1=-1),
    "a level too high": good(k1=16),
    "lengths beyond any file together": good(k4=[1 << 62, 1 << 62]),
    "a level as text": good(k1="0"),
    "a level that is a truth value": good(k1=False),
    "half an id": good(k3=bytes(48)),
    "ids as text": good(k3="x" * 64),
    "more ids than lengths": good(k4=[1]),
    "more lengths than ids": good(k4=[1, 2, 3]),
    "a length of zero": good(k4=[1, 0]),
    "a length below zero": good(k4=[1, -5]),
    "a length of 64 bits": good(k4=[1, 1 << 63]),
    "a length as a fraction": good(k4=[1, 2.0]),
    "lengths as a map": good(k4={1: 2, 2: 3}),
    "a chunker of two numbers": good(k2=[1, 2]),
    "a chunker of no size": good(k2=[0, 0, 0]),
    "a chunker upside down": good(k2=[256 * KIB, 64 * KIB, 16 * KIB]),
    "a chunker without bound": good(k2=[16 * KIB, 64 * KIB, 1 << 40]),
    "a chunker of text": good(k2=["a", "b", "c"]),
    "a chunker that is a number": good(k2=7),
}


def test_the_good_one_is_good() -> None:
    """The wrong lists below are refused for what is wrong with them."""
    assert parse_list(pack(good())).size == 3


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_wrong_list_is_refused(value: Any) -> None:
    """What is not a content list raises BlockDamaged, whatever it is."""
    with pytest.raises(BlockDamaged):
        parse_list(pack(value))


@given(identities)
def test_parts_end_by_content(identity: ObjectId) -> None:
    """Never below 128 entries, always at 2,048, between them where the id says so."""
    assert not ends_part(identity, LIST_FANOUT_MIN - 1)
    assert ends_part(identity, LIST_FANOUT_MAX)
    assert ends_part(identity, LIST_FANOUT_MIN) == (int.from_bytes(identity[:4]) % 384 == 0)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def stored_list(shelf: Shelf, level: int, rows: list[tuple[ObjectId, int]], *, root: bool = False) -> ObjectId:
    chunker = ChunkerParameters(16 * KIB, 64 * KIB, 256 * KIB) if root else None
    return shelf.add(pack_list(level, [row[0] for row in rows], [row[1] for row in rows], chunker), kind=Kind.LIST)


def test_a_file_comes_back_from_its_list(shelf: Shelf) -> None:
    """Chunks in order, holes as numbers; written out, holes are zeros."""
    one, two = shelf.add(noise(1, 5000)), shelf.add(noise(2, 3000))
    part = stored_list(shelf, 0, [(one, 5000), (HOLE, 700_000)])
    other = stored_list(shelf, 0, [(two, 3000), (HOLE, 1)])
    root = stored_list(shelf, 1, [(part, 705_000), (other, 3001)], root=True)
    assert list(content_bytes(shelf.reader, None, root)) == [noise(1, 5000), 700_000, noise(2, 3000), 1]
    plain = b"".join(plain_bytes(content_bytes(shelf.reader, None, root)))
    assert plain == noise(1, 5000) + bytes(700_000) + noise(2, 3000) + b"\0"
    assert [piece.part for piece in list_pieces(shelf.reader, root)] == [part, part, other, other]
    assert read_list(shelf.reader, root).size == len(plain)


def test_a_file_of_one_chunk_or_none(shelf: Shelf) -> None:
    """One chunk is the file; no content is the empty file."""
    one = shelf.add(noise(3, 10))
    assert list(content_bytes(shelf.reader, one, None)) == [noise(3, 10)]
    assert list(content_bytes(shelf.reader, None, None)) == []


def test_a_list_that_contradicts_itself_is_refused(shelf: Shelf) -> None:
    """A part of another level or length than the node above says, or a chunk of another length, is damage."""
    one = shelf.add(noise(4, 100))
    part = stored_list(shelf, 0, [(one, 100)])
    wrong = {
        "length of a part": stored_list(shelf, 1, [(part, 99)]),
        "level of a part": stored_list(shelf, 2, [(part, 100)]),
        "length of a chunk": stored_list(shelf, 0, [(one, 99)]),
    }
    for identity in wrong.values():
        with pytest.raises(BlockDamaged):
            list(content_bytes(shelf.reader, None, identity))


def test_a_missing_chunk_is_said_to_be_missing(shelf: Shelf) -> None:
    """What comes before a missing chunk is still delivered."""
    one = shelf.add(noise(5, 100))
    root = stored_list(shelf, 0, [(one, 100), (ObjectId(bytes(31) + b"x"), 7)])
    pieces = content_bytes(shelf.reader, None, root)
    assert next(pieces) == noise(5, 100)
    with pytest.raises(ObjectMissing):
        next(pieces)


def test_a_hole_of_a_terabyte_takes_no_memory() -> None:
    """Zeros are written out a little at a time."""
    zeros = plain_bytes([1 << 40])
    assert all(len(next(zeros)) <= MIB for _ in range(10))
