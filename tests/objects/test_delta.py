"""Deltas: when they are made, and how long their chains grow."""

from __future__ import annotations

import pytest

from icc_store.codec.hashing import chunk_id
from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import DELTA_COST_FACTOR, DELTA_COST_FLOOR, DELTA_GROUP_SIZE, KIB, MAX_BASES, MAX_DELTA_DEPTH
from icc_store.objects.block import Frame
from tests.support.shelf import Shelf, noise, words


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def versions(count: int, size: int) -> list[bytes]:
    """A text and its later versions, each with another number at its end."""
    text = words(99, size)
    return [text + b"version %d\n" % number for number in range(count)]


def store_all(shelf: Shelf, contents: list[bytes]) -> list[ObjectId]:
    """Each content in a run of its own, against the one before."""
    ids: list[ObjectId] = []
    for content in contents:
        ids.append(shelf.add(content, bases=ids[-1:]))
    return ids


def real_depth(shelf: Shelf, identity: bytes) -> int:
    """How many frames are read to get at an object, counted by following bases."""
    frame = shelf.frame_of(ObjectId(identity))
    return 1 + max((real_depth(shelf, base) for base in frame.bases), default=-1)


def real_cost(shelf: Shelf, identity: bytes) -> int:
    """Plain KiB of all frames below an object's, each rounded up."""
    frames: dict[tuple[int, int], int] = {}

    def visit(key: bytes) -> None:
        for base in shelf.frame_of(ObjectId(key)).bases:
            found = shelf.reader.frame_of(base)
            assert found is not None
            location, number, frame, _ = found
            frames[location.block, number] = -(-frame.plain_size // KIB)
            visit(base)

    visit(identity)
    return sum(frames.values())


def test_a_small_change_costs_few_bytes(shelf: Shelf) -> None:
    """A counter bumped in an entity of 1.3 KB takes less than 60 stored bytes beside the directory."""
    old, new = versions(2, 1300)
    identity = store_all(shelf, [old, new])[-1]
    frame = shelf.frame_of(identity)
    assert frame.bases == (chunk_id(old)[:KEY_SIZE],)
    assert len(frame.stored) < 60
    assert shelf.fresh().get(identity, Kind.CHUNK) == new


def test_a_delta_that_saves_little_is_not_made(shelf: Shelf) -> None:
    """Content that has nothing in common with its base stands by itself."""
    base = shelf.add(noise(1, 3000))
    identity = shelf.add(words(2, 3000), bases=[base])
    assert not shelf.frame_of(identity).bases


@pytest.mark.parametrize("size", [1300, 60_000, 400_000])
def test_chains_keep_their_bounds(shelf: Shelf, size: int) -> None:
    """Depth at most 32 and cost at most max(8 x size, 1 MiB), as written and as counted; all versions come back."""
    contents = versions(60, size)
    ids = store_all(shelf, contents)
    for identity, content in zip(ids, contents, strict=True):
        frame = shelf.frame_of(identity)
        assert frame.depth == real_depth(shelf, identity) <= MAX_DELTA_DEPTH
        assert frame.cost == real_cost(shelf, identity)
        assert frame.cost * KIB + len(content) <= max(DELTA_COST_FACTOR * len(content), DELTA_COST_FLOOR)
        assert shelf.fresh().get(identity, Kind.CHUNK) == content


def test_a_full_chain_starts_again_at_its_beginning(shelf: Shelf) -> None:
    """The version after a full chain is a delta against the object the chain began with, not stored whole."""
    contents = versions(MAX_DELTA_DEPTH + 3, 1300)
    ids = store_all(shelf, contents)
    depths = [shelf.frame_of(identity).depth for identity in ids]
    assert depths == [*range(MAX_DELTA_DEPTH + 1), 1, 2]
    assert shelf.frame_of(ids[MAX_DELTA_DEPTH + 1]).bases == (ids[0][:KEY_SIZE],)


def test_neighbours_share_a_delta_frame(shelf: Shelf) -> None:
    """Changed entities whose old versions stand in one frame become one frame."""
    old = [words(seed, 1300) for seed in range(40)]
    with shelf.writing() as writer:
        bases = [writer.add(Kind.CHUNK, part) for part in old]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part + b"\n1", bases=[base]) for part, base in zip(old, bases, strict=True)]
    frames = shelf.blocks()[2].frames
    assert [frame.ids for frame in frames] == [tuple(ids)]
    assert frames[0].bases == tuple(base[:KEY_SIZE] for base in bases)
    assert len(frames[0].stored) < 40 * 40
    assert [shelf.fresh().get(identity, Kind.CHUNK) for identity in ids] == [part + b"\n1" for part in old]


def test_bases_of_a_frame_stand_in_one_frame(shelf: Shelf) -> None:
    """Objects whose old versions stand in different frames are not mixed, so a read decodes one chain."""
    one, two = words(1, 2000), words(2, 2000)
    first, second = shelf.add(one), shelf.add(two)
    with shelf.writing() as writer:
        for base, data in ((first, one), (second, two), (first, one + b"again")):
            writer.add(Kind.CHUNK, data + b"!", bases=[base])
    for block in shelf.blocks().values():
        for frame in block.frames:
            assert len({_frame(shelf, base) for base in frame.bases}) <= 1


def test_a_group_stays_small(shelf: Shelf) -> None:
    """A delta frame of many objects holds at most DELTA_GROUP_SIZE plain bytes."""
    old = [words(seed, 20_000) for seed in range(12)]
    with shelf.writing() as writer:
        bases = [writer.add(Kind.CHUNK, part) for part in old]
    with shelf.writing() as writer:
        for part, base in zip(old, bases, strict=True):
            writer.add(Kind.CHUNK, part + b"x", bases=[base])
    deltas = [frame for frame in _frames(shelf) if frame.bases]
    assert len(deltas) > 1
    assert max(frame.plain_size for frame in deltas) <= DELTA_GROUP_SIZE


def test_a_chunk_takes_several_bases_of_one_frame(shelf: Shelf) -> None:
    """New content that merges several old chunks is written against all of them that stand together."""
    old = [words(seed, 4000) for seed in range(12)]
    with shelf.writing() as writer:
        bases = [writer.add(Kind.CHUNK, part) for part in old]
    merged = b"".join(part[1000:3000] for part in old)
    identity = shelf.add(merged, bases=bases)
    frame = shelf.frame_of(identity)
    assert frame.bases == tuple(base[:KEY_SIZE] for base in bases[:MAX_BASES])
    assert shelf.fresh().get(identity, Kind.CHUNK) == merged


def test_a_shared_base_stands_once_in_the_prefix(shelf: Shelf) -> None:
    """Many objects against one base: it is named once, and the prefix stays as small as the base's frame."""
    base = shelf.add(words(5, 2000))
    parts = [words(5, 2000) + b"%d" % number for number in range(30)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part, bases=[base]) for part in parts]
    assert shelf.frame_of(ids[0]).bases == (base[:KEY_SIZE],)
    assert [shelf.fresh().get(identity, Kind.CHUNK) for identity in ids] == parts


def test_a_base_that_is_not_there_is_passed_over(shelf: Shelf) -> None:
    """A base that was removed, or never was, means a frame without one."""
    identity = shelf.add(words(3, 1000), bases=[chunk_id(b"never stored")])
    assert not shelf.frame_of(identity).bases
    assert shelf.get(identity) == words(3, 1000)


def test_a_base_of_the_same_run_is_used_once_committed(shelf: Shelf) -> None:
    """An object that still waits is no base yet, so that a base is committed no later than its delta."""
    old, new = versions(2, 1300)
    with shelf.writing() as writer:
        base = writer.add(Kind.CHUNK, old)
        identity = writer.add(Kind.CHUNK, new, bases=[base])
    assert not shelf.frame_of(identity).bases
    assert shelf.get(identity) == new


def test_an_index_file_with_inserted_rows(shelf: Shelf) -> None:
    """50 rows inserted in a 1.5 MB file take less than 5 KB."""
    rows = [b'  {"id": "%s", "tags": ["a", "b"]},\n' % noise(seed, 8).hex().encode() for seed in range(38_000)]
    old = b"".join(rows)
    fresh = rows[:]
    for number in range(50):
        fresh.insert(number * 700, b'  {"id": "inserted %d", "tags": []},\n' % number)
    base = shelf.add(old)
    identity = shelf.add(b"".join(fresh), bases=[base])
    assert len(shelf.frame_of(identity).stored) < 5000
    assert shelf.fresh().get(identity, Kind.CHUNK) == b"".join(fresh)


def _frame(shelf: Shelf, key: bytes) -> tuple[int, int]:
    found = shelf.reader.frame_of(key)
    assert found is not None
    return found[0].block, found[1]


def _frames(shelf: Shelf) -> list[Frame]:
    return [frame for block in shelf.blocks().values() for frame in block.frames]
