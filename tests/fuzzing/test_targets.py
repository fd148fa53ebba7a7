"""Every target holds on what it starts from, and its forms fit."""

from __future__ import annotations

import random

import pytest

from fuzz import mutation, structure
from fuzz.structure import JSON, MSGPACK, Form
from fuzz.target import code_of, load, target_names


@pytest.mark.parametrize("name", target_names())
def test_a_target_takes_its_seeds(name: str) -> None:
    """Seeds end well or in an error that is allowed; each form takes one apart, and puts it together as it was."""
    target = load(name)
    for data in target.seeds:
        try:
            target.fuzz_one(data)
        except target.allowed:
            pass
    for form in target.forms:
        assert any(_comes_back(form, data) for data in target.seeds), form


def _comes_back(form: Form, data: bytes) -> bool:
    try:
        value = form.read(data)
        return bool(form.read(form.write(value)) == value)
    except ValueError:
        return False


@pytest.mark.parametrize("form", [MSGPACK, JSON])
def test_changes_to_what_an_input_says(form: Form) -> None:
    """Nearly every change leaves something that can be taken apart, and that says something else."""
    chance = random.Random("structure")
    whole = {"a": [1, "text", None, True], "b": {"c": [0.5, {"d": 7}]}}
    data = form.write(whole)
    made = [structure.mutate(chance, data, (form,), [data]) for _ in range(300)]
    differ = [one for one in made if one is not None and one != data]
    assert len(differ) > 200
    assert len(set(differ)) > 150
    for one in differ:
        form.read(one)


def test_a_form_that_does_not_fit() -> None:
    """Where no form can read an input, its bytes are what is changed."""
    assert structure.mutate(random.Random("none"), b"\xc1", (MSGPACK,), [b"\xc1"]) is None


def test_words_are_put_in() -> None:
    """What a parser knows by name comes up in what is tried."""
    chance = random.Random("words")
    made = [mutation.mutate(chance, [b"0" * 20], (b"magic",)) for _ in range(100)]
    assert any(b"magic" in one for one in made)


def test_the_code_of_a_target() -> None:
    """Runs are counted for the code they tried: each target's digest is its own, and the same from run to run."""
    codes = [code_of(name) for name in target_names()]
    assert len(set(codes)) == len(codes)
    assert codes == [code_of(name) for name in target_names()]
