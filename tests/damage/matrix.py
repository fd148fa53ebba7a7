"""One damage after the other: what verify says, what every command does, what comes back."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from icc_store.errors import NotARepository, NotFoundError
from tests.damage.commands import each_command
from tests.damage.harms import Harm
from tests.damage.recovery import recover
from tests.damage.stage import Stage
from tests.support.live import fill

_OTHERS = {
    "a file replaced": ((NotARepository.exit_code,), "("),
    "two pages swapped": ((NotFoundError.exit_code,), "icc-store verify"),
}
"""Exit codes and advice that are right only there: a repository without a header is none, and a page of the list of
snapshots from before the last ones leaves `latest~1` without a meaning; that one is for `verify` to find."""


@dataclass
class Outcome:
    """What came of damage of one kind."""

    harms: int = 0
    commands: int = 0
    """Commands that met the damage, and said so."""
    repairs: Counter[str] = field(default_factory=Counter)
    salvages: Counter[str] = field(default_factory=Counter)
    files: int = 0
    """Files that came back by salvage."""
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Outcome) -> None:
        """Count what another has counted as well."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def run(
    stage: Stage, folder: Path, chosen: Iterable[Harm], *, tell: Callable[[str], None] = lambda _wrong: None
) -> dict[str, Outcome]:
    """Try each damage in `folder`, which must be the current directory. Returns what came of each kind.

    What is wrong is told at once as well.
    """
    outcomes: dict[str, Outcome] = {}
    fill(folder / "source", stage.source)
    for harm in chosen:
        outcome = outcomes.setdefault(harm.kind, Outcome())
        outcome.harms += 1

        def damaged(path: Path, harm: Harm = harm) -> None:
            stage.put(path)
            harm.do(path)

        try:
            others, advice = _OTHERS.get(harm.kind, ((), "icc-store verify"))
            outcome.commands += each_command(
                folder, damaged, list(stage.versions.values()), others=others, advice=advice
            )
            damaged(folder / "r")
            recovery = recover(stage, folder)
        except AssertionError as error:
            outcome.wrong.append(f"{harm.kind}, {harm.name}: {error}")
            tell(outcome.wrong[-1])
            continue
        outcome.repairs[recovery.repair] += 1
        outcome.salvages[recovery.salvage] += 1
        outcome.files += recovery.files
    shutil.rmtree(folder / "r", ignore_errors=True)
    return outcomes
