"""Counting what blocks hold: every object once, through views that do not last, with samples of all ages."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from icc_store.ids import Kind
from icc_store.objects import census
from icc_store.objects.census import Form, take_census
from tests.support.shelf import REPOSITORY, Shelf


def test_every_object_is_counted_in_its_form() -> None:
    """Objects alone, in groups and against others are told apart; the blocks' own bytes count as well."""
    shelf = Shelf()
    base = random.Random(1).randbytes(50_000)
    one = shelf.add(base)
    with shelf.writing() as writer:
        for n in range(10):
            writer.add(Kind.TREE, b"tree %d" % n)
    shelf.add(base[:-1] + b"!", bases=(one,))
    found = take_census(shelf.reader, REPOSITORY)
    counts = {key: (tally.objects, tally.plain) for key, tally in found.tallies.items()}
    assert counts == {
        (Kind.CHUNK, Form.SINGLE): (1, 50_000),
        (Kind.TREE, Form.GROUPED): (10, 60),
        (Kind.CHUNK, Form.DELTA): (1, 50_000),
    }
    assert found.blocks == 3
    assert found.block_bytes > sum(tally.stored for tally in found.tallies.values())
    assert found.samples[Form.DELTA].together > 50 * found.samples[Form.DELTA].stored
    assert found.damaged == []


def test_long_counts_renew_their_view(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often the view is renewed, each block is seen once."""
    monkeypatch.setattr(census, "READ_TXN_BYTES", 1)
    shelf = Shelf()
    for n in range(20):
        shelf.add(b"object %d" % n)
    found = take_census(shelf.reader, REPOSITORY)
    assert found.blocks == 20
    assert found.tallies[Kind.CHUNK, Form.SINGLE].objects == 20


def test_the_sample_is_bounded_and_of_all_ages() -> None:
    """Of many frames a bounded number is kept, spread over the whole."""
    chosen = census._Chosen()
    for number in range(10_000):
        chosen.offer(number, 0)
    numbers = [number for number, _ in chosen.frames]
    assert 20 <= len(numbers) <= census._SAMPLE_FRAMES
    assert numbers[0] == 0
    assert numbers[-1] > 9_000
    assert len({after - before for before, after in pairwise(numbers)}) == 1
