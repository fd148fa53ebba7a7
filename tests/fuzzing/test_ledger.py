"""How long each target was fuzzed, from run to run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fuzz.guided import Tally, tally
from fuzz.ledger import Ledger, Run

RUN = Run("tree", "atheris", "new", 90.0, 1000, edges=7, features=9, kept=3)


def test_runs_add_up(tmp_path: Path) -> None:
    """Another process finds the runs; CPU counts for the code it was spent on, and the table has it all."""
    ledger = Ledger(tmp_path / "corpus" / "runs.jsonl")
    for run in (
        replace(RUN, code="old"),
        RUN,
        replace(RUN, cpu=30.0, engine="builtin", edges=0),
        replace(RUN, target="tar"),
    ):
        ledger.add(run)
    again = Ledger(tmp_path / "corpus" / "runs.jsonl")
    assert again.runs == ledger.runs
    assert again.cpu_seconds("tree", "new") == 120
    lines = list(again.table({"tree": "new", "tar": "other", "head": "none"}))
    assert "| `tree` | 3.5 | 2.0 | 3,000 | 7 | 9 | 3 |" in lines
    assert "| `tar` | 1.5 | 0.0 | 1,000 | 7 | 9 | 3 |" in lines
    assert "| `head` | 0.0 | 0.0 | 0 | | | |" in lines
    assert lines[-1] == "| together | 5.0 | | 4,000 | | | |"


def test_what_libfuzzer_prints() -> None:
    """Inputs, edges, features and kept inputs come from its last lines; of a run that was cut short as well."""
    cut = "#2\tINITED cov: 3 ft: 4 corp: 1/1b\n#128\tNEW    cov: 5 ft: 6 corp: 2/9b lim: 4 exec/s: 0 rss: 2Mb\n"
    assert tally(cut) == Tally(128, 5, 6, 2)
    assert tally(cut + "stat::number_of_executed_units: 130\n") == Tally(130, 5, 6, 2)
    assert tally("") == Tally()
