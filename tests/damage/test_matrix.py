"""A seeded sample of the damage matrix, small enough for every run of the tests. `make test-damage` has it all."""

from __future__ import annotations

import random
from itertools import groupby
from pathlib import Path

import pytest

from tests.damage.flips import EQUAL, FOUND, flip_each, positions
from tests.damage.harms import harms
from tests.damage.matrix import run
from tests.damage.stage import Stage, make_stage
from tests.support.forked import preload


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    return make_stage(tmp_path_factory.mktemp("stage"))


def test_changed_bytes_are_found(stage: Stage, tmp_path: Path) -> None:
    """Whatever byte is changed: verify finds it, or every snapshot restores equal. The small files are tried whole."""
    places = positions(stage)
    chosen = random.Random("flips").sample([place for place in places if place[0] == "data.mdb"], 150)
    chosen += [place for place in places if place[0] == "head"]
    chosen += [place for place in places if place[0] == "repository.json"][::9]
    came_to, wrong = flip_each(stage, tmp_path / "r", chosen)
    assert not wrong
    assert came_to.total() == len(chosen)
    assert came_to[FOUND] > 0
    assert came_to[EQUAL] > 0


def test_every_kind_of_damage(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two damages of each kind: commands end in order, and what survives comes back."""
    monkeypatch.chdir(tmp_path)
    preload()
    chance = random.Random("harms")
    every = sorted(harms(stage, chance, flips=20), key=lambda harm: harm.kind)
    chosen = [harm for _, group in groupby(every, key=lambda harm: harm.kind) for harm in chance.sample(list(group), 2)]
    outcomes = run(stage, tmp_path, chosen)
    assert [each for outcome in outcomes.values() for each in outcome.wrong] == []
    assert sum(outcome.salvages["whole"] for outcome in outcomes.values()) > 0
    assert sum(outcome.commands for outcome in outcomes.values()) > 0
