"""Write what was measured into docs/benchmarks.md, with its plots: `python -m benchmarks.publish [RESULT.json ...]`.

Without arguments it takes the newest full result of each scenario. Only what stands between the marks in the document
is replaced; what people wrote around it stays.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report, results
from benchmarks.pictures import pictures
from benchmarks.results import ScenarioResult
from benchmarks.run import RESULTS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
PLOTS = "benchmark-plots"
"""The folder beside the document."""


@dataclass(frozen=True)
class Measured:
    """One scenario, and the machine that it was measured on."""

    result: ScenarioResult
    machine: dict[str, Any]


def newest(folder: Path) -> list[Measured]:
    """Return the newest full result of each scenario in `folder`."""
    found: dict[str, Measured] = {}
    for path in folder.glob("*.json"):
        if path.stem.endswith("-quick"):
            continue
        one = Measured(*results.read(path))
        known = found.get(one.result.scenario)
        if known is None or known.result.facts["started"] < one.result.facts["started"]:
            found[one.result.scenario] = one
    return list(found.values())


def blocks(measured: Sequence[Measured]) -> dict[str, str]:
    """Return the text for each pair of marks in the document."""
    drawn = pictures([one.result for one in measured])
    return {
        "targets": report.target_table(one.result for one in measured),
        "plots": "\n\n".join(f"![{picture.says}]({PLOTS}/{picture.file})" for picture in drawn),
        "tables": "\n\n".join(_section(one) for one in measured),
    }


def replace_blocks(text: str, new: dict[str, str]) -> str:
    """Put each text between its marks, `<!-- begin NAME -->` and `<!-- end NAME -->`."""
    for name, block in new.items():
        marks = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
        found = marks.search(text)
        if found is None:
            raise LookupError(f"the document has no marks for {name}")
        before, after = text[: found.end(1)], text[found.start(2) :]
        text = f"{before}\n{block}\n\n{after}"
    return text


def _section(one: Measured) -> str:
    started = one.result.facts["started"][:10]
    load = one.machine["load_at_start"]
    head = f"Measured {started} at commit {one.machine['commit']}, load at start {load}."
    return f"### {one.result.scenario}\n\n{head}\n\n{report.scenario(one.result)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the document and its plots anew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.publish", description="Write docs/benchmarks.md anew.")
    parser.add_argument("results", nargs="*", type=Path, metavar="RESULT.json", help="default: newest of each scenario")
    parser.add_argument("--document", type=Path, default=DOCUMENT, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    chosen = [Measured(*results.read(path)) for path in options.results] or newest(RESULTS)
    chosen.sort(key=lambda one: one.result.scenario)
    document: Path = options.document
    document.write_text(replace_blocks(document.read_text(), blocks(chosen)))
    folder = document.parent / PLOTS
    folder.mkdir(exist_ok=True)
    for picture in pictures([one.result for one in chosen]):
        (folder / picture.file).write_text(picture.svg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
