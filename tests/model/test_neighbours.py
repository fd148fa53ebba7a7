"""Chunks read in stored order: always the right bytes, and few look-ups."""

from __future__ import annotations

import random

import pytest

from icc_store.errors import BlockDamaged, ObjectMissing
from icc_store.ids import Kind, ObjectId
from icc_store.model import neighbours
from icc_store.model.neighbours import NeighbourReader
from tests.support.shelf import Shelf, noise, plain_frame, words


class Counting:
    """A reader that counts the look-ups."""

    def __init__(self, shelf: Shelf) -> None:
        self._reader = shelf.fresh()
        self.frame_of = self._reader.frame_of
        self.block = self._reader.block
        self.frame_plain = self._reader.frame_plain
        self.looked_up = 0

    def get(self, identity: ObjectId, kind: int) -> bytes:
        self.looked_up += 1
        return self._reader.get(identity, kind)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def test_neighbours_are_not_looked_up(shelf: Shelf) -> None:
    """Of many chunks in one frame, only the first two are looked up."""
    data = [words(number, 900) for number in range(150)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part) for part in data]
    counting = Counting(shelf)
    reader = NeighbourReader(counting)
    assert [reader.chunk(identity) for identity in ids] == data
    assert counting.looked_up == 2


@pytest.mark.parametrize("seed", range(5))
def test_any_order_gives_the_right_bytes(shelf: Shelf, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whatever order chunks are asked for, and however little is noted, each comes back as it was."""
    monkeypatch.setattr(neighbours, "_NOTED_BYTES", 300_000)
    chance = random.Random(seed)
    data = [noise(number, chance.randrange(1, 3000)) for number in range(600)]
    with shelf.writing() as writer:
        ids = [writer.add(Kind.CHUNK, part) for part in data]
    reader = NeighbourReader(shelf.fresh())
    order = list(range(600))
    for _ in range(4):
        for number in order:
            assert reader.chunk(ids[number]) == data[number]
        chance.shuffle(order)


def test_what_is_missing_or_wrong_is_an_error(shelf: Shelf) -> None:
    """A chunk that is not there is missing; one whose bytes are not what its id says is damage, noted or not."""
    with pytest.raises(ObjectMissing):
        NeighbourReader(shelf.reader).chunk(ObjectId(b"x" * 32))
    parts = [words(number, 500) for number in range(5)]
    frame = plain_frame(*parts)
    wrong = ObjectId(b"w" * 32)
    shelf.put([type(frame)(frame.kind, frame.codec, (*frame.ids[:4], wrong), frame.lengths, frame.stored)])
    reader = NeighbourReader(shelf.reader)
    for identity, part in zip(frame.ids[:4], parts, strict=False):
        assert reader.chunk(identity) == part
    with pytest.raises(BlockDamaged):
        reader.chunk(wrong)
