"""Tables of what was measured, as Markdown that also reads well on a terminal."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks.figures import speed_ratio
from benchmarks.peers import OURS, REFERENCES
from benchmarks.results import ScenarioResult, moment_number
from benchmarks.targets import FASTER_OF, STATED_FOR, Target, verdicts

Rows = list[list[str]]
_SHOWN_EVERY = 10
"""Of moments in a row, every tenth is shown; all of them are in the JSON, and in the plots."""


def render(results: Sequence[ScenarioResult], machine: dict[str, Any], missing: Sequence[str]) -> str:
    """Return the whole report."""
    parts = ["# Benchmark results", conditions(machine), _left_out(missing), "## Targets", target_table(results)]
    parts += [f"## {result.scenario}\n\n{scenario(result)}" for result in results]
    return "\n\n".join(part for part in parts if part) + "\n"


def conditions(machine: dict[str, Any]) -> str:
    """Say what was measured on, with which programs, and how to read the tables."""
    versions = "; ".join(f"{name}: {version}" for name, version in machine["versions"].items())
    hardware = f"{machine['cores']} cores ({machine['cpu']}), {machine['memory_bytes'] / 2**30:.0f} GiB"
    system = f"{machine['kernel']}, {machine['file_system']}, Python {machine['python']}"
    lines = [
        f"Commit {machine['commit']}. {hardware}, {system}; load at start {machine['load_at_start']}.",
        f"{versions}.",
        "Warm cache, medians of the runs, every peer in turn for each operation. Memory is anonymous + shared.",
        f"In brackets: how many times as fast as {FASTER_OF}, or what part of the size of the smaller of them.",
    ]
    return "\n".join(lines)


def target_table(results: Iterable[ScenarioResult]) -> str:
    """Return the table of all targets, with what was measured and by how much each was missed or surpassed."""
    note = f"Stated for {STATED_FOR:,} entities, where nothing else is said. `times as fast`: as {FASTER_OF}."
    head = ["target", "must", "stretch", "measured", "", "scenario"]
    rows = [
        [
            verdict.target.text,
            _bound(verdict.target, verdict.target.must),
            _bound(verdict.target, verdict.target.stretch),
            "-" if verdict.measured is None else verdict.target.show(verdict.measured),
            verdict.words,
            verdict.scenario,
        ]
        for verdict in verdicts(results)
    ]
    return f"{note}\n\n{table(head, rows, left=(0, 4, 5))}"


def scenario(result: ScenarioResult) -> str:
    """Return all tables of one scenario, and what went wrong in it."""
    operations = result.operations()
    peers = list(dict.fromkeys(sample.peer for sample in result.samples))
    peers.sort(key=_place)
    moments = [moment for moment in result.moments() if (moment_number(moment) or 0) % _SHOWN_EVERY == 0]
    parts = _grid("wall", operations, peers, lambda op, p: _wall_cell(result, op, p))
    parts += _grid("CPU", operations, peers, lambda op, p: _cell(result.cpu(op, p), seconds))
    parts += _floors(result)
    parts += _grid("peak memory", operations, peers, lambda op, p: _cell(result.peak_memory(op, p), megabytes))
    parts += _grid("on disk", moments, peers, lambda moment, p: _size_cell(result, moment, p))
    parts += [f"- **{p.peer}, {p.operation}, run {p.run}:** {' '.join(p.text.split())}" for p in result.problems]
    return "\n\n".join(parts)


def _left_out(missing: Sequence[str]) -> str:
    return f"**Not installed, so left out: {', '.join(missing)}.**" if missing else ""


def _bound(target: Target, bound: float | None) -> str:
    return "" if bound is None else f"{'>=' if target.at_least else '<='} {target.show(bound)}"


def _place(peer: str) -> int:
    order = (OURS, *REFERENCES)
    return order.index(peer) if peer in order else len(order)


def _floors(result: ScenarioResult) -> list[str]:
    """Return the table of floors: what each step costs with all before it."""
    rows = [
        [step, _cell(result.floor_wall(step), seconds), _cell(result.floor_cpu(step), seconds)]
        for step in result.steps()
    ]
    return [table([f"floor ({result.facts.get('floors', '')})", "wall", "CPU"], rows)] if rows else []


def _grid(title: str, rows: Sequence[str], peers: Sequence[str], cell: Callable[[str, str], str]) -> list[str]:
    lines = [[row, *(cell(row, peer) for peer in peers)] for row in rows]
    known = [line for line in lines if any(text != "-" for text in line[1:])]
    return [table([title, *peers], known)] if known else []


def _wall_cell(result: ScenarioResult, operation: str, peer: str) -> str:
    text = _cell(result.wall(operation, peer), seconds)
    ratio = speed_ratio(result, operation, peer) if peer not in REFERENCES else None
    return text if ratio is None else f"{text} ({ratio:.1f}x)"


def _size_cell(result: ScenarioResult, moment: str, peer: str) -> str:
    own = result.size(moment, peer)
    others = [size for size in (result.size(moment, other) for other in REFERENCES) if size]
    text = _cell(own, megabytes)
    return f"{text} ({own / min(others):.2f}x)" if own and others and peer == OURS else text


def _cell(value: float | None, unit: Callable[[float], str]) -> str:
    return "-" if value is None else unit(value)


def seconds(value: float) -> str:
    """Show a time, in milliseconds below a second."""
    if value == 0:
        return "0"
    if value < 1:
        return f"{value * 1000:.{0 if value >= 0.01 else 1}f} ms"
    return f"{value:.2f} s"


def megabytes(value: float) -> str:
    """Show a size, with a fraction where it is small."""
    return f"{value / 2**20:.1f} MB" if value < 2**27 else f"{value / 2**20:.0f} MB"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, left: Sequence[int] = (0,)) -> str:
    """Return a Markdown table with the columns `left` aligned to the left and the others to the right."""
    lines = [list(head), *map(list, rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(head))]
    rule = ["-" * width if column in left else "-" * (width - 1) + ":" for column, width in enumerate(widths)]
    return "\n".join("| " + " | ".join(_aligned(line, widths, left)) + " |" for line in (lines[0], rule, *lines[1:]))


def _aligned(cells: Sequence[str], widths: Sequence[int], left: Sequence[int]) -> list[str]:
    pairs = enumerate(zip(cells, widths, strict=True))
    return [cell.ljust(width) if column in left else cell.rjust(width) for column, (cell, width) in pairs]
