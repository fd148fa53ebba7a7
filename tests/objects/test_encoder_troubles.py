"""Compression that fails, lies, or works in memory that changes by itself: nothing wrong is ever committed."""

from __future__ import annotations

import pytest

from icc_store.codec.hashing import chunk_id
from icc_store.errors import IccStoreError
from icc_store.ids import Kind, ObjectId
from icc_store.limits import SOLID_FRAME_SIZE
from icc_store.objects.block import RAW, ZSTD
from icc_store.objects.encoder import Compressor, Encoder
from icc_store.objects.writer import SpoiledInMemory
from tests.support.shelf import Shelf, words
from tests.support.troubled import Failing, Lying, Notes, Spoiling


def store(shelf: Shelf, compressor: Compressor, data: list[bytes]) -> tuple[list[ObjectId], list[str]]:
    """Add chunks; their ids, and what was said meanwhile."""
    notes = Notes()
    with shelf.writing(encoder=Encoder(compressor=compressor), monitor=notes) as writer:
        ids = [writer.add(Kind.CHUNK, each) for each in data]
    return ids, notes.said


@pytest.mark.parametrize("trouble", [Failing(), Failing(error=MemoryError()), Lying()])
def test_what_cannot_be_compressed_is_stored_as_it_is(trouble: Failing) -> None:
    """Every block is readable, nothing in it is compressed, and the user is told."""
    shelf = Shelf()
    data = [words(1, 5000), words(2, 900)]
    ids, said = store(shelf, trouble, data)
    assert [shelf.fresh().get(one, Kind.CHUNK) for one in ids] == data
    assert {frame.codec for block in shelf.blocks().values() for frame in block.frames} == {RAW}
    assert len(said) == 1
    assert "compressing 2 new objects failed" in said[0]
    assert said[0].endswith("stored without compression")


def test_in_the_pool_too() -> None:
    """Large runs compress in other threads; what fails there is stored and told all the same."""
    shelf = Shelf()
    data = [words(number, SOLID_FRAME_SIZE) for number in range(4)]
    ids, said = store(shelf, Failing(), data)
    assert [shelf.fresh().get(one, Kind.CHUNK) for one in ids] == data
    assert len(said) == len(data)


def test_a_delta_that_cannot_be_made() -> None:
    """A changed object stands by itself, without bases, when no delta of it can be made."""
    shelf = Shelf()
    old = words(3, 5000)
    base = shelf.add(old)
    with shelf.writing(encoder=Encoder(compressor=Failing())) as writer:
        identity = writer.add(Kind.CHUNK, old + b"more", bases=(base,))
    assert shelf.fresh().get(identity, Kind.CHUNK) == old + b"more"
    assert (shelf.frame_of(identity).codec, shelf.frame_of(identity).bases) == (RAW, ())


def test_trees_and_lists_as_well() -> None:
    """What is compressed only when its place in a block is known is got round the same way."""
    shelf = Shelf()
    with shelf.writing(encoder=Encoder(compressor=Failing())) as writer:
        tree = writer.add(Kind.TREE, words(4, 3000))
    assert shelf.fresh().get(tree, Kind.TREE) == words(4, 3000)


@pytest.mark.parametrize("trouble", [Failing(1), Lying(1)])
def test_a_second_try_is_enough(trouble: Failing) -> None:
    """What fails once is compressed again from the plain bytes, and that it failed is told."""
    shelf = Shelf()
    ids, said = store(shelf, trouble, [words(5, 5000)])
    assert shelf.fresh().get(ids[0], Kind.CHUNK) == words(5, 5000)
    assert shelf.frame_of(ids[0]).codec == ZSTD
    assert [line.endswith("the second time it went well") for line in said] == [True]


def test_bytes_that_change_in_memory_are_read_again() -> None:
    """Nothing of the batch is committed; added anew by a caller who has read them again, they are stored."""
    shelf = Shelf()
    notes = Notes()
    with shelf.writing(encoder=Encoder(compressor=Spoiling(1)), monitor=notes) as writer:
        writer.add(Kind.CHUNK, words(6, 5000))
        with pytest.raises(SpoiledInMemory):
            writer.commit()
        assert not shelf.blocks()
        identity = writer.add(Kind.CHUNK, words(6, 5000))
    assert shelf.fresh().get(identity, Kind.CHUNK) == words(6, 5000)
    assert identity == chunk_id(words(6, 5000))
    assert any("changed in memory" in line for line in notes.said)


def test_memory_that_keeps_changing_is_an_error() -> None:
    """The second time it is no stray bit: the run ends, says why, and has committed nothing wrong."""
    shelf = Shelf()
    with shelf.writing(encoder=Encoder(compressor=Spoiling())) as writer:
        writer.add(Kind.CHUNK, words(7, 5000))
        with pytest.raises(SpoiledInMemory):
            writer.commit()
        writer.add(Kind.CHUNK, words(7, 5000))
        with pytest.raises(IccStoreError, match=r"changed in memory .* more than once"):
            writer.commit()
    assert not shelf.blocks()
