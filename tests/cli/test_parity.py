"""`parity`, `init --parity` and `repair` as a user meets them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from icc_store.cli.shares import percent, permille_of
from icc_store.errors import UsageError
from tests.support.live import fill
from tests.support.program import Program
from tests.support.shelf import noise, words

FILES = {f"{number:03}": words(number, 3000) for number in range(30)} | {"large": noise(1, 2_500_000)}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """The program, on a repository that has parity and a snapshot."""
    made = Program(tmp_path / "repository")
    assert made.good("--json", "init", "--parity", "5%").document["parity"] == 0.05
    fill(tmp_path / "source", FILES)
    made.good("snapshot", tmp_path / "source")
    return made


def test_damage_is_repaired_from_parity(program: Program, tmp_path: Path) -> None:
    """Zeroed pages are brought back, parity is made anew, and the restored files are the same."""
    before = program.good("--json", "parity").document
    assert (before["on"], before["share"], before["groups"], before["uncovered"]) == (True, 0.05, 1, 0)
    file = program.repository / "data.mdb"
    descriptor = os.open(file, os.O_RDWR)
    pages = os.fstat(descriptor).st_size // 4096
    os.pwrite(descriptor, bytes(4096 * (pages // 25)), 4096 * (pages // 2))
    os.close(descriptor)
    verified = program("verify")
    assert verified.code == 6
    assert "`icc-store repair` brings back what parity can" in verified.err
    done = program("--json", "repair")
    assert (done.code, done.err) == (0, "")
    assert done.document["from_parity"]
    assert done.document["beyond_parity"] == []
    program.good("verify")
    program.good("restore", "latest", "--target", tmp_path / "restored")
    assert {one.name: one.read_bytes() for one in (tmp_path / "restored").iterdir()} == FILES
    after = program.good("--json", "parity").document
    assert (after["on"], after["uncovered"], after["damaged_sums"], after["unreadable"]) == (True, 0, 0, [])


def test_damaged_parity_is_told_and_made_anew(program: Program) -> None:
    """`parity` exits with 7 over damaged sums, `verify` has a finding, and naming the share again mends them."""
    file = next((program.repository / "parity").glob("*.parity"))
    size = file.stat().st_size
    os.truncate(file, size // 2)
    done = program("parity")
    assert done.code == 7
    assert "damaged" in done.out
    verified = program("verify")
    assert verified.code == 6
    assert "sums are damaged" in verified.out
    program.good("parity", "5%")
    assert file.stat().st_size == size
    program.good("parity")
    program.good("verify")


def test_salvage_says_that_repair_brings_back_more(program: Program, tmp_path: Path) -> None:
    """Salvage takes what is whole; with parity what is not comes back too, without header, head and first pages."""
    data = bytearray((program.repository / "data.mdb").read_bytes())
    data[: 2 * 4096] = bytes(2 * 4096)
    middle = len(data) // 8192 * 4096
    data[middle : middle + 4096] = bytes(4096)
    (program.repository / "data.mdb").write_bytes(data)
    (program.repository / "head").unlink()
    done = program("salvage", program.repository, tmp_path / "salvaged")
    assert done.code == 3
    assert "`icc-store repair` brings back" in done.err
    (program.repository / "repository.json").unlink()
    refused = program("list")
    assert refused.code != 0
    assert "`icc-store repair` makes it anew" in refused.err
    program.good("repair")
    program.good("restore", "latest", "--target", tmp_path / "restored")
    assert {one.name: one.read_bytes() for one in (tmp_path / "restored").iterdir()} == FILES
    program.good("verify")


def test_stats_shows_what_it_takes(program: Program) -> None:
    """In bytes, and not at all without it."""
    taken = sum(file.stat().st_size for file in (program.repository / "parity").iterdir())
    assert program.good("--json", "stats").document["parity"] == taken
    assert "parity takes" in program.good("stats").out
    program.good("parity", "off")
    assert program.good("--json", "stats").document["parity"] == 0


def test_it_can_be_turned_off(program: Program) -> None:
    """Without parity nothing is left of it, and snapshots go on."""
    assert program.good("--json", "parity", "off").document["on"] is False
    assert not (program.repository / "parity").exists()
    assert program.good("--json", "parity").document["on"] is False


def test_compacting_leaves_nothing_removed_in_it(program: Program, tmp_path: Path) -> None:
    """After `gc --now --compact` parity knows only what is there."""
    fill(tmp_path / "source", {name: data for name, data in FILES.items() if name != "large"})
    program.good("snapshot", tmp_path / "source")
    program.good("gc", "--keep-last", "1", "--now", "--compact")
    found = program.good("--json", "parity").document
    assert (found["removed"], found["uncovered"]) == (0, 0)


def test_init_refuses_what_is_no_share(tmp_path: Path) -> None:
    """Before anything is made."""
    for share in ("0", "51%", "five", "-1", "nan"):
        done = Program(tmp_path / "repository")("init", f"--parity={share}")
        assert done.code == 2, done
        assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(("text", "permille"), [("5%", 50), ("5", 50), ("2.5%", 25), (" 50 %", 500), ("0.1%", 1)])
def test_shares_are_read_and_told(text: str, permille: int) -> None:
    """As people write them."""
    assert permille_of(text) == permille
    assert permille_of(percent(permille)) == permille


@pytest.mark.parametrize("text", ["", "%", "0.04%", "1e9", "inf"])
def test_what_is_no_share_is_refused(text: str) -> None:
    """With what to write instead."""
    with pytest.raises(UsageError):
        permille_of(text)
