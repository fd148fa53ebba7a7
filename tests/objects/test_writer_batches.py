"""Batches that are committed in the midst of a run, while the pool goes on with what is not ready yet."""

from __future__ import annotations

import random

import pytest

from icc_store.ids import KEY_SIZE, Kind, ObjectId
from icc_store.limits import KIB, MIB, SOLID_FRAME_SIZE
from icc_store.objects.appending import BaseCollected
from icc_store.objects.committer import Committer
from icc_store.objects.encoder import Encoder
from icc_store.objects.index import pack_row
from icc_store.objects.writer import ObjectWriter, SpoiledInMemory
from tests.support.shelf import Shelf, delta_frame, noise, plain_frame, words
from tests.support.troubled import Notes, Spoiling

Added = tuple[Kind, ObjectId, bytes]
BATCH = MIB


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def stored(shelf: Shelf) -> set[bytes]:
    """The keys of everything that is committed."""
    with shelf.store.read() as txn:
        return {row[:KEY_SIZE] for row in txn.rows()}


def large_file(writer: ObjectWriter, chunks: range) -> list[ObjectId]:
    return [writer.add(Kind.CHUNK, noise(seed, 80 * KIB)) for seed in chunks]


def later(added: list[Added], there: set[bytes], start: int) -> list[Added]:
    """What is committed of what was added from then on."""
    return [each for each in added[start:] if each[1][:KEY_SIZE] in there]


def add_all(writer: ObjectWriter, data: list[bytes]) -> list[ObjectId]:
    return [writer.add(Kind.CHUNK, each) for each in data]


def test_a_large_file_is_committed_while_it_is_read(shelf: Shelf) -> None:
    """Of its chunks no more waits than two batches, of which one is on its way, and what is in the pool.

    Its lists come with the rest, at the end.
    """
    with shelf.writing() as writer:
        writer.batch_bytes = BATCH
        ids, lists = [], []
        for part in range(8):
            ids += large_file(writer, range(20 * part, 20 * part + 20))
            lists.append(writer.add(Kind.LIST, words(part, 3000)))
            there = stored(shelf)
            assert sum(one[:KEY_SIZE] not in there for one in ids) * 80 * KIB <= 4 * BATCH
            assert not any(one[:KEY_SIZE] in there for one in lists)
            assert all(writer.has(one) for one in (*ids, *lists))
    assert len(shelf.blocks()) > 8
    assert [shelf.fresh().get(one, Kind.CHUNK) for one in ids] == [noise(seed, 80 * KIB) for seed in range(160)]
    assert [shelf.fresh().get(one, Kind.LIST) for one in lists] == [words(part, 3000) for part in range(8)]


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_committed_before_what_it_refers_to(shelf: Shelf, seed: int) -> None:
    """Whatever is added in whatever order: where a tree or list is committed, all that was added before it is as well.

    Counters are those of what is there, and every object comes back.
    """
    chance = random.Random(f"batches {seed}")
    added: list[Added] = []
    base = shelf.add(words(1, 60 * KIB))
    with shelf.writing() as writer:
        writer.batch_bytes = BATCH
        for number in range(120):
            kind = chance.choices((Kind.CHUNK, Kind.LIST, Kind.TREE, Kind.XATTRS), (60, 4, chance.choice((0, 3)), 1))[0]
            if kind == Kind.CHUNK and chance.random() < 0.2:
                data = words(1, 60 * KIB) + noise(number, 3000)
                identity = writer.add(kind, data, bases=[base])
            else:
                data = noise(1000 * seed + number, chance.choice((900, 70 * KIB, SOLID_FRAME_SIZE)))
                identity = writer.add(kind, data)
            added.append((kind, identity, data))
            there = stored(shelf)
            parents = [
                at for at, (one, ident, _) in enumerate(added) if one != Kind.CHUNK and ident[:KEY_SIZE] in there
            ]
            assert all(ident[:KEY_SIZE] in there for _, ident, _ in added[: max(parents, default=0)])
    assert all(shelf.fresh().get(identity, kind) == data for kind, identity, data in added)
    assert writer.counters.objects == len({identity for _, identity, _ in added})
    with shelf.store.read() as txn:
        assert writer.counters.stored_bytes == sum(size for number, size in txn.block_sizes() if number > 1)
        assert len(list(txn.rows())) == 1 + writer.counters.objects


def test_a_base_that_gc_took_in_the_midst_of_a_file(shelf: Shelf) -> None:
    """All that waited is dropped, in the pool too, and what was committed before stays; added again, all is stored."""
    old = words(2, 60 * KIB)
    base = shelf.add(old)
    with shelf.writing() as writer:
        writer.batch_bytes = BATCH
        first = large_file(writer, range(30))
        delta = writer.add(Kind.CHUNK, old + b"new", bases=[base])
        with shelf.store.write() as txn:
            txn.delete_rows([pack_row(base[:KEY_SIZE], 1, 0)])
            txn.delete_block(1)
        with pytest.raises(BaseCollected):
            large_file(writer, range(30, 90))
        there = stored(shelf)
        shelf.reader.forget()
        for identity in (*first, delta):
            assert writer.has(identity) == (identity[:KEY_SIZE] in there)
        assert not writer.has(delta)
        again = large_file(writer, range(90))
        assert writer.add(Kind.CHUNK, old + b"new", bases=[base]) == delta
    assert shelf.fresh().get(delta, Kind.CHUNK) == old + b"new"
    assert [shelf.fresh().get(one, Kind.CHUNK) for one in again] == [noise(seed, 80 * KIB) for seed in range(90)]
    with shelf.store.read() as txn:
        assert len(list(txn.rows())) == len(again) + 1


def test_a_base_that_came_to_stand_deeper_in_the_midst_of_a_file(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """A delta that is in the pool meanwhile is looked at, though another on the same base is committed by then.

    It could not be read behind the base as it stands now, where only the third one found it.
    """
    monkeypatch.setattr(Committer, "begin", Committer.commit)  # at once, so that it is known which one is committed
    text = words(2, 60 * KIB)
    old, beside = shelf.add(text), shelf.add(words(3, 60 * KIB))
    with shelf.writing() as writer:
        writer.batch_bytes = BATCH
        first = writer.add(Kind.CHUNK, text + b"1", bases=(old,))
        writer.add(Kind.CHUNK, words(3, 60 * KIB) + b"1", bases=(beside,))
        large_file(writer, range(14))
        second = writer.add(Kind.CHUNK, text + b"2", bases=(old,))
        for seed in range(14, 60):
            if first[:KEY_SIZE] not in stored(shelf):
                large_file(writer, range(seed, seed + 1))
        assert first[:KEY_SIZE] in stored(shelf)
        assert second[:KEY_SIZE] not in stored(shelf)
        shelf.put([plain_frame(text + b" as it was")])
        shelf.put([delta_frame(text, bases=[text + b" as it was"], depth=1)])
        with shelf.store.write() as txn:
            txn.delete_rows([pack_row(old[:KEY_SIZE], 1, 0)])
            txn.delete_block(1)
        shelf.reader.forget()
        writer.add(Kind.CHUNK, text + b"3", bases=(old,))
        with pytest.raises(BaseCollected):
            writer.commit()


def test_memory_that_changed_in_the_midst_of_a_file(shelf: Shelf) -> None:
    """Nothing of what waited is committed, in the pool or not; added again, all of it is."""
    text = words(1, SOLID_FRAME_SIZE - KIB)
    data = [text + noise(seed, KIB) for seed in range(40)]
    with shelf.writing(encoder=Encoder(compressor=Spoiling(1)), monitor=Notes()) as writer:
        writer.batch_bytes = BATCH // 4
        with pytest.raises(SpoiledInMemory):
            add_all(writer, data)
        ids = add_all(writer, data)
    assert [shelf.fresh().get(one, Kind.CHUNK) for one in ids] == data
