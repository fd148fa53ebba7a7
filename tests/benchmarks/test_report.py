"""The report shows what was measured."""

from __future__ import annotations

from benchmarks import report
from benchmarks.results import Problem
from benchmarks.scenarios.growth import LAST
from benchmarks.scenarios.memory import FIRST, UNCHANGED
from tests.benchmarks.conftest import MakeResult

MACHINE = {
    "cores": 2,
    "cpu": "a processor",
    "memory_bytes": 8 << 30,
    "kernel": "Linux 6.1",
    "python": "3.11.7",
    "file_system": "ext4",
    "load_at_start": 0.5,
    "versions": {"icc-store": "1", "restic": "2"},
    "commit": "abc1234",
}


def row(text: str, beginning: str) -> list[str]:
    """The cells of the table row that begins so."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {beginning} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_table_is_markdown() -> None:
    """Columns are padded to one width, and the rule says which are aligned to the right."""
    lines = report.table(["a", "long head"], [["first", "1"], ["b", "22"]]).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1] == "| ----- | --------: |"


def test_ratios_are_to_the_better_reference(made_up: MakeResult) -> None:
    """Behind our time stands how many times as fast it is as the faster reference, and behind other peers' theirs."""
    result = made_up(
        "memory-100",
        {FIRST: {"icc-store": 0.5, "restic": 2.0, "borg": 1.0, "git": 4.0}},
        {LAST: {"icc-store": 1 << 20, "restic": 4 << 20, "borg": 2 << 20}},
    )
    text = report.scenario(result)
    assert row(text, FIRST)[1:] == ["500 ms (2.0x)", "2.00 s", "1.00 s", "4.00 s (0.2x)"]
    assert row(text, LAST)[1] == "1.0 MB (0.50x)"


def test_of_moments_in_a_row_every_tenth_is_shown(made_up: MakeResult) -> None:
    """Sizes of every day would make a table of thirty rows; the tenth ones say enough."""
    sizes = {f"after day {day}": {"icc-store": day << 20} for day in range(1, 31)}
    text = report.scenario(made_up("growth-5", {FIRST: {"icc-store": 1.0}}, sizes))
    assert [f"after day {day} " in text for day in (9, 10, 20, 29, 30)] == [False, True, True, False, True]


def test_floors_have_their_table(made_up: MakeResult) -> None:
    """What each floor takes stands beside what the programs take."""
    text = report.scenario(made_up("memory-100", {FIRST: {"icc-store": 1.0}}, floors={"walk + stat": 0.25}))
    assert row(text, "walk + stat")[1:] == ["250 ms", "250 ms"]


def test_the_whole_report(made_up: MakeResult) -> None:
    """It names commit, machine, what is missing and what went wrong, and has a row for each target."""
    result = made_up("memory-100000", {UNCHANGED: {"icc-store": 1.0, "borg": 7.0}})
    result.problems.append(Problem(FIRST, "borg", 1, "it\nfailed"))
    text = report.render([result], MACHINE, ["git"])
    assert "Commit abc1234. 2 cores (a processor), 8 GiB" in text
    assert "left out: git" in text
    assert "- **borg, first snapshot, run 1:** it failed" in text
    assert row(text, f"{UNCHANGED}: times as fast")[1:] == [
        ">= 6.00x",
        ">= 10x",
        "7.00x",
        "met, 17% to spare",
        "memory-100000",
    ]
