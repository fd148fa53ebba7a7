"""The floors do the work that they are the measure of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks import floors
from benchmarks.compare import Fidelity, differences, read_tree
from benchmarks.floors import Floors, hash_seconds, plain
from benchmarks.workspace import Workspace

STEPS = [floors.WALK, floors.READ, floors.HASH, floors.COMPRESS, floors.CREATE]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small tree with an empty file, one of several blocks, and directories in directories."""
    root = tmp_path / "source"
    (root / "a" / "b").mkdir(parents=True)
    (root / "empty").touch()
    (root / "a" / "large").write_bytes(bytes(plain.BLOCK * 2 + 1))
    (root / "a" / "b" / "small").write_text("small")
    (root / "zeros").write_bytes(bytes(100))
    os.utime(root / "zeros", ns=(5, 1_234_567_890))
    return root


@pytest.mark.parametrize("compiled", [True, False])
def test_every_step_is_measured(tmp_path: Path, source: Path, compiled: bool) -> None:
    """Each floor comes out with its seconds, in C and in Python."""
    samples = Floors(Workspace(tmp_path / "work"), compiled=compiled).measure(source, 3)
    assert [sample.step for sample in samples] == STEPS
    assert {sample.run for sample in samples} == {3}
    assert all(sample.wall >= 0 and sample.cpu >= 0 for sample in samples)


def test_a_failing_floor_is_told(tmp_path: Path) -> None:
    """A tree that is not there has no floor."""
    with pytest.raises(RuntimeError, match="walk failed"):
        Floors(Workspace(tmp_path / "work")).measure(tmp_path / "missing", 1)


@pytest.mark.parametrize("compiled", [True, False])
def test_create_makes_the_same_files(tmp_path: Path, source: Path, compiled: bool) -> None:
    """Names, sizes, modes and times are those of the source; only the bytes are not."""
    (source / "a" / "b" / "small").write_bytes(bytes(5))
    target = tmp_path / "created"
    Floors(Workspace(tmp_path / "work"), compiled=compiled).run("create", source, target)
    expected, found = ({path: e for path, e in read_tree(t).items() if e.kind == "file"} for t in (source, target))
    assert differences(expected, found, Fidelity.METADATA) == []
    assert (target / "a" / "b").is_dir()


def test_all_bytes_are_hashed(source: Path) -> None:
    """The pieces that are hashed are all bytes of all files."""
    assert sum(map(len, plain.pieces(source))) == plain.BLOCK * 2 + 1 + 5 + 100
    wall, cpu = hash_seconds(plain.pieces(source))
    assert wall > 0
    assert cpu >= 0
