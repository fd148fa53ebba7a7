"""What is drawn of which scenario: speed, size over snapshots, memory over files, time over snapshots."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from benchmarks import report
from benchmarks.peers import OURS, REFERENCES
from benchmarks.plots import Axis, Points, bars, lines
from benchmarks.results import ScenarioResult
from benchmarks.scenarios.memory import DAY, DIFF, FIRST, LIST, ONE_FILE, RESTORE, UNCHANGED, VERIFY
from benchmarks.scenarios.scale import SNAPSHOT, of_files

_SPEED = (FIRST, UNCHANGED, DAY, RESTORE, VERIFY, ONE_FILE, DIFF, LIST)
_SHOWN = (OURS, *REFERENCES, "git")
_FILES = re.compile(r"^(.*), ([\d,]+) files$")
_SMOOTHED = 20
"""Snapshots of which one point is the median."""

_MB = 1 << 20


@dataclass(frozen=True)
class Picture:
    """A picture with what it is called, as a file and in words."""

    file: str
    says: str
    svg: str


def pictures(results: Iterable[ScenarioResult]) -> Iterator[Picture]:
    """Draw what there are figures for: speed, size over days, memory over files, time over snapshots."""
    for result in results:
        if not result.samples:
            continue
        if result.scenario.startswith("memory"):
            title = f"Wall time, {result.scenario}: each operation to its own scale"
            yield Picture(f"speed-{result.scenario}.svg", title, _speed(result, title))
        elif result.scenario.startswith(("growth", "history")):
            title = f"Size over snapshots, {result.scenario}"
            yield Picture(f"size-{result.scenario}.svg", title, _growth(result, title))
        elif result.scenario == "many-files":
            yield Picture("memory-over-files.svg", "peak memory over files", _memory(result))
        elif result.scenario == "many-snapshots":
            yield Picture("time-over-snapshots.svg", "time of a snapshot over snapshots", _time(result))


def _speed(result: ScenarioResult, title: str) -> str:
    walls = {operation: {peer: result.wall(operation, peer) for peer in _SHOWN} for operation in _SPEED}
    known = {name: {peer: wall for peer, wall in row.items() if wall} for name, row in walls.items()}
    return bars(title, {name: row for name, row in known.items() if row}, report.seconds)


def _growth(result: ScenarioResult, title: str) -> str:
    series: dict[str, Points] = {
        peer: [(number, size / _MB) for number, size in result.growth(peer)] for peer in (*_SHOWN, "tar-zstd")
    }
    sizes = Axis("size on disk", _megabytes, log=True)
    number = Axis("snapshots", lambda count: f"{count:.0f}")
    return lines(title, number, sizes, {peer: points for peer, points in series.items() if points})


def _memory(result: ScenarioResult) -> str:
    counts = sorted({int(found[2].replace(",", "")) for name in result.operations() if (found := _FILES.match(name))})
    series: dict[str, Points] = {}
    for peer in _SHOWN:
        peaks = [(float(count), result.peak_memory(of_files(FIRST, count), peer)) for count in counts]
        series[peer] = [(count, peak / _MB) for count, peak in peaks if peak is not None]
    sizes = Axis("anonymous + shared memory, first snapshot", _megabytes, log=True)
    files = Axis("files", lambda count: f"{count:,.0f}", log=True)
    return lines("Peak memory over files", files, sizes, {peer: points for peer, points in series.items() if points})


def _megabytes(size: float) -> str:
    return f"{size:.3g} MB"


def _time(result: ScenarioResult) -> str:
    walls = [sample.wall for sample in result.of(SNAPSHOT, OURS)]
    points = [
        (float(at + len(part)), sorted(part)[len(part) // 2])
        for at in range(0, len(walls), _SMOOTHED)
        if (part := walls[at : at + _SMOOTHED])
    ]
    number = Axis("snapshots before", lambda count: f"{count:.0f}")
    return lines("Time of a snapshot", number, Axis("wall, median of 20", report.seconds), {OURS: points})
