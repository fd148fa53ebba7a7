"""Tables of what was measured, as Markdown that also reads well on a terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.peers import OURS, REFERENCES
from benchmarks.results import ScenarioResult
from benchmarks.targets import STATED_FOR, speed_ratio, verdicts

Rows = list[list[str]]
Lookup = Callable[[str, str], float | None]


def render(results: Sequence[ScenarioResult], machine: dict[str, Any], missing: Sequence[str]) -> str:
    """Return the whole report."""
    parts = ["# Benchmark results", _conditions(machine, missing), _target_table(results)]
    parts += [_scenario(result, list(machine["versions"])) for result in results]
    return "\n\n".join(part for part in parts if part) + "\n"


def _conditions(machine: dict[str, Any], missing: Sequence[str]) -> str:
    versions = "; ".join(f"{name}: {version}" for name, version in machine["versions"].items())
    hardware = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_bytes'] / 2**30:.0f} GiB"
    system = f"{machine['kernel']}, {machine['file_system']}, Python {machine['python']}"
    references = " and ".join(REFERENCES)
    lines = [
        f"Commit {machine['commit']}. {hardware}, {system}; load at start {machine['load_at_start']}.",
        f"{versions}.",
        "Warm cache, medians of the runs, every peer in turn for each operation. Memory is anonymous + shared.",
        f"In brackets: how many times as fast, or what part of the size, as the better of {references}.",
    ]
    if missing:
        lines.append(f"**Not installed, so left out: {', '.join(missing)}.**")
    return "\n".join(lines)


def _target_table(results: Sequence[ScenarioResult]) -> str:
    judged = verdicts(results)
    if not judged:
        return ""
    words = {True: "met", False: "**missed**", None: "not measured"}
    rows = [[scenario, v.target, v.measured, words[v.met]] for scenario, v in judged]
    note = f"Targets are stated for {STATED_FOR:,} entities (start-up: 250)."
    return "\n\n".join(["## Targets", note, table(["scenario", "target", "measured", ""], rows, left=2)])


def _scenario(result: ScenarioResult, peers: Sequence[str]) -> str:
    operations = result.operations()
    parts = [f"## {result.scenario}"]
    parts += _grid("wall", operations, peers, lambda op, p: _wall_cell(result, op, p))
    parts += _grid("CPU", operations, peers, lambda op, p: _cell(result.cpu(op, p), _seconds))
    parts += _grid("peak memory", operations, peers, lambda op, p: _cell(result.peak_memory(op, p) or None, _megabytes))
    parts += _grid("on disk", result.moments(), peers, lambda moment, p: _size_cell(result, moment, p))
    parts += [f"- **{p.peer}, {p.operation}, run {p.run}:** {' '.join(p.text.split())}" for p in result.problems]
    return "\n\n".join(parts)


def _grid(title: str, rows: Sequence[str], peers: Sequence[str], cell: Callable[[str, str], str]) -> list[str]:
    lines = [[row, *(cell(row, peer) for peer in peers)] for row in rows]
    known = [line for line in lines if any(text != "-" for text in line[1:])]
    return [table([title, *peers], known)] if known else []


def _wall_cell(result: ScenarioResult, operation: str, peer: str) -> str:
    text = _cell(result.wall(operation, peer), _seconds)
    ratio = speed_ratio(result, operation, peer) if peer not in REFERENCES else None
    return text if ratio is None else f"{text} ({ratio:.1f}x)"


def _size_cell(result: ScenarioResult, moment: str, peer: str) -> str:
    own = result.size(moment, peer)
    others = [size for size in (result.size(moment, other) for other in REFERENCES) if size]
    text = _cell(own, _megabytes)
    return f"{text} ({own / min(others):.2f}x)" if own and others and peer == OURS else text


def _cell(value: float | None, unit: Callable[[float], str]) -> str:
    return "-" if value is None else unit(value)


def _seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def _megabytes(value: float) -> str:
    return f"{value / 2**20:.1f} MB" if value < 2**27 else f"{value / 2**20:.0f} MB"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """Return a Markdown table with the first `left` columns aligned to the left and the others to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]
    rule = ["-" * width if column < left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(_aligned(line, widths, left)) + " |" for line in (lines[0], rule, *lines[1:]))


def _aligned(cells: Sequence[str], widths: Sequence[int], left: int) -> list[str]:
    pairs = zip(cells, widths, strict=True)
    return [cell.ljust(width) if column < left else cell.rjust(width) for column, (cell, width) in enumerate(pairs)]
