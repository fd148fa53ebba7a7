"""Files of a memory as records."""

from __future__ import annotations

from icc_store.entities.record import Record
from icc_store.operations.memory.stored_records import by_id
from tests.support.live import within


def records(*ids: str) -> list[Record]:
    return [Record(identity, "", {"n": number}) for number, identity in enumerate(ids)]


def test_records_that_share_an_id_are_numbered() -> None:
    """No record is lost, and none takes the place of another that is called like a numbered one."""
    assert list(by_id(records("a", "b", "a", "a (3)", "a"))) == ["a", "b", "a (2)", "a (3)", "a (4)"]
    assert [record.fields["n"] for record in by_id(records("a", "a", "b")).values()] == [0, 1, 2]


def test_one_id_a_hundred_thousand_times() -> None:
    """What a hostile file repeats is numbered without counting from the start each time."""
    with within(30):
        assert len(by_id(records(*["same"] * 100_000))) == 100_000
