"""Objects that one process makes frames of, and another one stores."""

from __future__ import annotations

import pytest

from icc_store.codec.compression import compress
from icc_store.codec.hashing import object_id
from icc_store.ids import KEY_SIZE, Kind
from icc_store.objects.appending import BaseCollected
from icc_store.objects.encoder import Encoder
from icc_store.objects.index import pack_row
from icc_store.objects.relay_writer import RelayWriter
from icc_store.objects.writer import ObjectWriter
from tests.support.shelf import REPOSITORY, Shelf, delta_frame, noise, plain_frame, words

TEXTS = [words(seed, 2000) for seed in range(400)]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def relay(shelf: Shelf, writer: ObjectWriter, encoder: Encoder | None = None) -> RelayWriter:
    """What hands over to `writer` at once."""
    return RelayWriter(shelf.store, shelf.reader, REPOSITORY, encoder=encoder or Encoder(3), hand_over=writer.take)


def test_what_was_handed_over_reads_back(shelf: Shelf) -> None:
    """Every chunk, whatever it compresses to, and counted as if the writer had made it."""
    data = [*TEXTS, noise(1, 300_000)]
    with shelf.writing() as writer:
        other = relay(shelf, writer)
        ids = [other.add(Kind.CHUNK, each) for each in data]
        other.commit()
        assert writer.counters.objects == len(data)
        assert writer.counters.plain_bytes == sum(map(len, data))
    assert [shelf.fresh().get(identity, Kind.CHUNK) for identity in ids] == data


def test_what_is_no_chunk_is_kept_as_it_is(shelf: Shelf) -> None:
    """With its bases, in the order it came: its place in a block is for the writer to find."""
    with shelf.writing() as writer:
        other = relay(shelf, writer)
        base = other.add(Kind.CHUNK, TEXTS[0])
        tree = other.add(Kind.TREE, b"a tree", bases=(base,))
        other.add(Kind.LIST, b"a list")
        other.commit()
        assert [(kind, data) for kind, data, _ in other.plain] == [(Kind.TREE, b"a tree"), (Kind.LIST, b"a list")]
        assert other.plain[0].bases == (base,)
        assert tree == object_id(Kind.TREE, b"a tree")
        assert writer.counters.objects == 1


def test_what_is_stored_by_then_is_not_stored_again(shelf: Shelf) -> None:
    """Also where it came while the frame was made; the others of the frame are."""
    with shelf.writing() as writer:
        other = relay(shelf, writer)
        for each in TEXTS[:10]:
            other.add(Kind.CHUNK, each)
        writer.add(Kind.CHUNK, TEXTS[4])
        other.commit()
        assert writer.counters.objects == 10
    with shelf.store.read() as txn:
        assert len(list(txn.rows())) == 10
    assert shelf.fresh().get(object_id(Kind.CHUNK, TEXTS[9]), Kind.CHUNK) == TEXTS[9]


@pytest.mark.parametrize("twice", [False, True])
def test_new_versions_are_written_against_old_ones(shelf: Shelf, twice: bool) -> None:
    """As deltas, also where a frame of them is taken apart since one of them is stored by then."""
    with shelf.writing() as writer:
        old = [writer.add(Kind.CHUNK, each) for each in TEXTS[:3]]
    new = [each + b" and more" for each in TEXTS[:3]]
    with shelf.writing() as writer:
        other = relay(shelf, writer)
        for data, base in zip(new, old, strict=True):
            other.add(Kind.CHUNK, data, bases=(base,))
        if twice:
            writer.add(Kind.CHUNK, new[1])
        other.commit()
    assert [shelf.fresh().get(object_id(Kind.CHUNK, each), Kind.CHUNK) for each in new] == new
    assert writer.counters.delta_objects == (0 if twice else 3)


def test_a_base_that_has_gone_ends_the_batch(shelf: Shelf) -> None:
    """What was written against it is not taken, and the writer says so as of its own."""
    old = shelf.add(TEXTS[0])
    with shelf.writing() as writer:
        other = relay(shelf, writer)
        other.add(Kind.CHUNK, TEXTS[0] + b" and more", bases=(old,))
        with shelf.store.write() as txn:
            txn.delete_rows([row for row in txn.rows() if row.startswith(old[:16])])
        shelf.reader.forget()
        other.commit()
        with pytest.raises(BaseCollected):
            writer.commit()


@pytest.mark.parametrize("is_relayed", [False, True])
def test_a_base_that_came_to_stand_deeper_between_two_deltas(shelf: Shelf, is_relayed: bool) -> None:
    """The first of them could not be read with it any more, though the second one found it where it is now."""
    old = shelf.add(TEXTS[0])
    with shelf.writing() as writer:
        other = relay(shelf, writer)
        writer.add(Kind.CHUNK, TEXTS[0] + b" and more", bases=(old,))
        other_base = TEXTS[0] + b" as it was"
        shelf.put([plain_frame(other_base)])
        shelf.put([delta_frame(TEXTS[0], bases=[other_base], depth=1)])
        with shelf.store.write() as txn:
            txn.delete_rows([pack_row(old[:KEY_SIZE], 1, 0)])
            txn.delete_block(1)
        shelf.reader.forget()
        (other if is_relayed else writer).add(Kind.CHUNK, TEXTS[0] + b" and other", bases=(old,))
        other.commit()
        with pytest.raises(BaseCollected):
            writer.commit()


def test_trouble_in_compressing_is_told_and_nothing_handed_over(shelf: Shelf) -> None:
    """Whoever stores it meets it itself, and can tell of it."""
    tries = iter(range(100))

    def broken(data: bytes, level: int, prefix: bytes = b"") -> bytes:
        if not next(tries):
            raise MemoryError
        return compress(data, level, prefix)

    with shelf.writing() as writer:
        other = relay(shelf, writer, Encoder(3, compressor=broken))
        other.add(Kind.CHUNK, TEXTS[0])
        other.commit()
        assert not other.is_sound
        assert writer.counters.objects == 0
