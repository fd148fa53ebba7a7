"""One large binary file, and an edited copy in its place."""

from functools import partial
from pathlib import Path

from benchmarks.corpora import binary as corpus
from benchmarks.plan import SEED, Plan
from benchmarks.scenarios.contest import Contest
from benchmarks.scenarios.memory import FIRST, RESTORE
from benchmarks.workspace import copy_tree

EDITED = "edited copy"


def binary(contest: Contest, plan: Plan) -> None:
    """First snapshot, snapshot after edits, restore."""
    size, edits = plan.binary_bytes, plan.binary_edits
    original = contest.workspace.cached(f"binary-{size}", partial(_original, size=size))
    edited = contest.workspace.cached(f"binary-{size}-{edits}", partial(_edited, original=original, edits=edits))
    for run in contest.runs(plan.big_runs):
        with contest.run(run) as source:
            copy_tree(original, source)
            contest.settle()
            contest.snapshot(FIRST, source, "original")
            contest.sizes("after the first snapshot")
            contest.floors(source)
            contest.workspace.discard(source)
            copy_tree(edited, source)
            expected = contest.warm(source)
            contest.snapshot(EDITED, source, "edited")
            contest.sizes("after the edited copy")
            contest.restore(RESTORE, expected)


def _original(target: Path, size: int) -> None:
    target.mkdir()
    corpus.build(target / "image.bin", size, SEED)


def _edited(target: Path, original: Path, edits: int) -> None:
    target.mkdir()
    corpus.build_edited(original / "image.bin", target / "image.bin", edits, SEED)
