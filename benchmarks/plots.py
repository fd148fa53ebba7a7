"""Plots as plain SVG: bars and lines, readable on light and on dark pages, nothing fetched when they are looked at."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]
Show = Callable[[float], str]

COLOURS = {
    "icc-store": "#0b5fa5",
    "restic": "#d55e00",
    "borg": "#00876c",
    "git": "#6b6b6b",
    "borg-encrypted": "#7fb800",
    "tar-zstd": "#b0478f",
    "tar-gzip": "#c48a00",
}
"""Told apart by people who see colours differently, and dark enough for text."""

_WIDTH = 760
_INK = "#222222"
_GRID = "#dddddd"
_BAR, _GAP = 13, 14
_LINE = 16
"""The least distance of two labels."""


@dataclass(frozen=True)
class Axis:
    """What one direction of a plot means, and how its values are written."""

    label: str
    show: Show
    log: bool = False


def bars(title: str, groups: Mapping[str, Mapping[str, float]], show: Show) -> str:
    """Draw a group of bars for each operation, each as long as its share of the longest of that group."""
    left, right, top = 170, 90, 64
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    parts = [_text(16, 26, title, size=16, weight="bold"), *_legend(names, 16, 46)]
    y = top
    for label, group in groups.items():
        longest = max(group.values())
        parts.append(_text(left - 10, y + len(group) * _BAR / 2 + 4, label, anchor="end"))
        for name, value in group.items():
            length = max(1.0, value / longest * (_WIDTH - left - right))
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{_BAR - 2}" fill="{_colour(name)}"/>')
            parts.append(_text(left + length + 5, y + 9.5, show(value), size=11))
            y += _BAR
        y += _GAP
    return _document(y, parts)


def lines(title: str, x: Axis, y: Axis, series: Mapping[str, Points]) -> str:
    """Draw one line for each series, its name at its end."""
    left, top, width, height = 80, 60, 520, 300
    across = _Scale(x, [point[0] for points in series.values() for point in points], left, left + width)
    up = _Scale(y, [point[1] for points in series.values() for point in points], top + height, top)
    parts = [_text(16, 26, title, size=16, weight="bold")]
    for tick in up.ticks():
        at = up.place(tick)
        parts.append(f'<line x1="{left}" y1="{at:.1f}" x2="{left + width}" y2="{at:.1f}" stroke="{_GRID}"/>')
        parts.append(_text(left - 8, at + 4, y.show(tick), anchor="end", size=12))
    for tick in across.ticks():
        at = across.place(tick)
        parts.append(f'<line x1="{at:.1f}" y1="{top}" x2="{at:.1f}" y2="{top + height}" stroke="{_GRID}"/>')
        parts.append(_text(at, top + height + 18, x.show(tick), anchor="middle", size=12))
    parts.append(_text(left + width / 2, top + height + 42, x.label, anchor="middle"))
    parts.append(_text(16, top - 14, y.label, size=12))
    for name, points in series.items():
        path = " ".join(f"{across.place(a):.1f},{up.place(b):.1f}" for a, b in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{_colour(name)}" stroke-width="2.5"/>')
        if len(points) <= _LINE:
            parts += [
                f'<circle cx="{across.place(a):.1f}" cy="{up.place(b):.1f}" r="3.5" fill="{_colour(name)}"/>'
                for a, b in points
            ]
    ends = {name: up.place(points[-1][1]) for name, points in series.items()}
    for name, at in _apart(ends).items():
        parts.append(_text(left + width + 10, at + 4, f"{name} {y.show(series[name][-1][1])}", colour=_colour(name)))
    return _document(top + height + 56, parts)


class _Scale:
    """Places values of one axis between two ends, in pixels."""

    def __init__(self, axis: Axis, values: Sequence[float], begin: float, end: float) -> None:
        self._axis = axis
        self._begin, self._end = begin, end
        if axis.log:
            self._low, self._high = math.log10(min(values)), math.log10(max(values))
        else:
            self._low, self._high = 0.0, max(values)
        if self._high == self._low:
            self._high = self._low + 1.0

    def place(self, value: float) -> float:
        position = math.log10(value) if self._axis.log else value
        return self._begin + (position - self._low) / (self._high - self._low) * (self._end - self._begin)

    def ticks(self) -> list[float]:
        """Return round values within the axis: about five, or on a logarithmic one 1, 2 and 5 of each power."""
        if not self._axis.log:
            step = _round_step(self._high / 5)
            return [number * step for number in range(int(self._high / step + 1e-9) + 1)]
        steps = (1,) if self._high - self._low > 2.5 else (1, 2, 5)
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        ticks = [step * 10.0**power for power in powers for step in steps]
        return [tick for tick in ticks if self._low - 1e-9 <= math.log10(tick) <= self._high + 1e-9]


def _round_step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least)


def _apart(places: Mapping[str, float]) -> dict[str, float]:
    """Move labels down until none covers another."""
    moved: dict[str, float] = {}
    lowest = -math.inf
    for name, place in sorted(places.items(), key=lambda item: item[1]):
        lowest = moved[name] = max(place, lowest + _LINE)
    return moved


def _legend(names: Sequence[str], x: float, y: float) -> list[str]:
    parts = []
    for name in names:
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{_colour(name)}"/>')
        parts.append(_text(x + 15, y, name, size=12))
        x += 32 + 7 * len(name)
    return parts


def _colour(name: str) -> str:
    return COLOURS.get(name, _INK)


def _text(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    size: int = 13,
    weight: str = "normal",
    colour: str = _INK,
) -> str:
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" fill="{colour}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(text)}</text>'


def _document(height: float, parts: Sequence[str]) -> str:
    size = f'width="{_WIDTH}" height="{height:.0f}" viewBox="0 0 {_WIDTH} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="Helvetica, Arial, sans-serif">'
    paper = f'<rect width="{_WIDTH}" height="{height:.0f}" fill="#ffffff"/>'
    return "\n".join([head, paper, *parts, "</svg>", ""])
