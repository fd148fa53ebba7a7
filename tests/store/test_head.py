"""The head file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icc_store.errors import BlockDamaged
from icc_store.store.head import HEAD_SIZE, Head, read_head, write_head

REPOSITORY = bytes(range(16))


@given(st.integers(0, (1 << 64) - 1), st.binary(min_size=16, max_size=16))
def test_a_head_comes_back(tmp_path_factory: pytest.TempPathFactory, sequence: int, commit: bytes) -> None:
    """Number and id of the commit survive, in 64 bytes."""
    path = tmp_path_factory.mktemp("head") / "head"
    write_head(path, REPOSITORY, Head(sequence, commit))
    assert path.stat().st_size == HEAD_SIZE == 64
    assert read_head(path, REPOSITORY) == Head(sequence, commit)


def test_it_is_written_in_place(tmp_path: Path) -> None:
    """The file stays the same one: a crash leaves the old record or the new, never an empty file."""
    path = tmp_path / "head"
    write_head(path, REPOSITORY, Head(1, bytes(16)))
    before = path.stat().st_ino
    write_head(path, REPOSITORY, Head(2, bytes(16)))
    assert path.stat().st_ino == before
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["head"]
    assert read_head(path, REPOSITORY).sequence == 2


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    """A head that was changed anywhere is damaged."""
    path = tmp_path / "head"
    write_head(path, REPOSITORY, Head(77, bytes(16)))
    good = path.read_bytes()
    for at in range(len(good)):
        for bit in range(8):
            changed = bytearray(good)
            changed[at] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(BlockDamaged):
                read_head(path, REPOSITORY)


@pytest.mark.parametrize("size", [0, 1, 48, 63, 65, 128])
def test_another_size_is_damage(tmp_path: Path, size: int) -> None:
    """A head that was cut off, or has a tail, is damaged."""
    path = tmp_path / "head"
    write_head(path, REPOSITORY, Head(1, bytes(16)))
    path.write_bytes((path.read_bytes() + bytes(64))[:size])
    with pytest.raises(BlockDamaged):
        read_head(path, REPOSITORY)


def test_a_missing_or_foreign_head_is_damage(tmp_path: Path) -> None:
    """No head, and that of another repository, are told apart from a damaged one."""
    path = tmp_path / "head"
    with pytest.raises(BlockDamaged, match="missing"):
        read_head(path, REPOSITORY)
    write_head(path, bytes(16), Head(1, bytes(16)))
    with pytest.raises(BlockDamaged, match="another repository"):
        read_head(path, REPOSITORY)
