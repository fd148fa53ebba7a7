"""A snapshot of which no copy of the record can be read: everybody is told which one, and how the others come back."""

from __future__ import annotations

from pathlib import Path

from icc_store.opening import create_repository, open_repository
from icc_store.store.protocol import Table
from tests.support import damage
from tests.support.live import fill, on_disk, snap
from tests.support.program import Program


def test_repair_is_named_and_helps(tmp_path: Path) -> None:
    """Readers and verify name the snapshot and `repair`; after that the others are listed and restored."""
    notes = tmp_path / "notes"
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        fill(notes, {"a": b"1"})
        lost = snap(repository, notes, name="lost")
        fill(notes, {"a": b"2"})
        snap(repository, notes, name="whole")
        damage.damage_block(repository, damage.block_of(repository, lost.id))
        key, data = damage.copies_of(repository)[0]
        damage.change(repository, lambda txn: txn.put(Table.COPIES, key, data[:-1] + bytes((data[-1] ^ 1,))))
    program = Program(tmp_path / "r")
    for command in (["list"], ["restore", "whole", "--target", tmp_path / "early"], ["verify"], ["list"]):
        told = program(*command)
        assert told.code == 6
        assert lost.id.hex()[:12] in told.out + told.err
        assert "`icc-store repair`" in told.out + told.err, command
    assert program("repair").code == 6
    assert "whole" in program.good("list").out
    program.good("restore", "whole", "--target", tmp_path / "back")
    assert on_disk(tmp_path / "back") == {"a": b"2"}
