"""Plots are SVG that shows all that it was given."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest

from benchmarks.pictures import pictures
from benchmarks.plots import Axis, bars, lines
from benchmarks.scenarios.growth import DAILY
from benchmarks.scenarios.memory import FIRST, UNCHANGED
from benchmarks.scenarios.scale import SNAPSHOT, of_files
from tests.benchmarks.conftest import MakeResult

SVG = "{http://www.w3.org/2000/svg}"
PLAIN = Axis("count", lambda value: f"{value:g}")
LOG = Axis("count", lambda value: f"{value:g}", log=True)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]


def test_bars_are_as_long_as_their_values() -> None:
    """Within a group the lengths are in the ratio of the values; each bar has its value beside it."""
    svg = bars("Speed", {"first <snapshot>": {"icc-store": 1.0, "restic": 4.0}}, lambda value: f"{value:g} s")
    grown = [float(bar.get("width", 0)) for bar in ET.fromstring(svg).iter(f"{SVG}rect") if bar.get("height") == "11"]
    assert grown[1] == pytest.approx(4 * grown[0], rel=0.01)
    assert {"first <snapshot>", "1 s", "4 s", "icc-store", "restic"} <= set(texts(svg))


@pytest.mark.parametrize("axis", [PLAIN, LOG])
def test_lines_stay_within_the_plot(axis: Axis) -> None:
    """Every point lies between the axes, and larger values stand higher."""
    svg = lines("Size", PLAIN, axis, {"icc-store": [(1, 3), (2, 30)], "git": [(1, 300), (2, 3_000)]})
    ours, theirs = (list(points(line.get("points", ""))) for line in ET.fromstring(svg).iter(f"{SVG}polyline"))
    for x, y in (*ours, *theirs):
        assert 80 <= x <= 600
        assert 60 <= y <= 360
    assert ours[0][1] > ours[1][1] > theirs[1][1]


def test_labels_at_the_ends_do_not_cover_each_other() -> None:
    """Lines that end at one place have their names below one another."""
    svg = lines("Size", PLAIN, PLAIN, {name: [(1, 1), (2, 5)] for name in ("icc-store", "restic", "borg")})
    at = [float(text.get("y", 0)) for text in ET.fromstring(svg).iter(f"{SVG}text") if float(text.get("x", 0)) > 600]
    assert sorted(later - earlier for earlier, later in itertools.pairwise(at)) == [16, 16]


def test_a_flat_line_can_be_drawn() -> None:
    """One point, or equal values, make no division by nothing."""
    for axis in (PLAIN, LOG):
        assert "icc-store 7" in texts(lines("One", axis, axis, {"icc-store": [(7, 7)]}))


def test_each_scenario_has_its_picture(made_up: MakeResult) -> None:
    """Speed, size, memory and time are drawn from the scenarios that measure them, and nothing from one left out."""
    peers = {"icc-store": 1.0, "restic": 2.0, "borg": 3.0}
    sizes = {f"after day {day}": {"icc-store": day << 20, "git": day << 22} for day in (1, 2, 3)}
    drawn = pictures(
        [
            made_up("memory-100000", {FIRST: peers, UNCHANGED: peers}),
            made_up("growth-5000", {DAILY: peers}, sizes),
            made_up("history"),
            made_up("many-files", {of_files(FIRST, 1_000): peers, of_files(FIRST, 10_000): peers}),
            made_up("many-snapshots", {SNAPSHOT: peers}),
            made_up("binary", {FIRST: peers}),
        ]
    )
    named = {picture.file: set(texts(picture.svg)) for picture in drawn}
    assert sorted(named) == [
        "memory-over-files.svg",
        "size-growth-5000.svg",
        "speed-memory-100000.svg",
        "time-over-snapshots.svg",
    ]
    assert {"icc-store 3 MB", "git 12 MB"} <= named["size-growth-5000.svg"]
    assert {"1,000", "10,000"} <= named["memory-over-files.svg"]


def points(text: str) -> Iterator[tuple[float, float]]:
    for pair in re.findall(r"([\d.]+),([\d.]+)", text):
        yield float(pair[0]), float(pair[1])
