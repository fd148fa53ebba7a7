"""What verify passes can be restored, and what a restore refuses verify finds, where every checksum is right."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from icc_store.clock import FixedClock
from icc_store.codec.hashing import object_id
from icc_store.codec.serial import pack
from icc_store.errors import EndlessTree
from icc_store.ids import Kind, ObjectId
from icc_store.limits import MAX_TREE_DEPTH, MAX_TREE_LEVELS
from icc_store.model.paths import display
from icc_store.model.repository import Repository
from icc_store.objects.block import RAW, Frame
from icc_store.operations.restore import RestoreOptions, restore
from icc_store.operations.snapshot import SnapshotOptions, take_snapshot
from icc_store.operations.verify import VerifyOptions, verify
from tests.support.forged import DIRECTORY, Forge, content_list, part, wire

Make = Callable[[Forge], ObjectId]


def directories(depth: int) -> Make:
    """Directories below each other, the root among them."""
    return lambda forge: forge.chain(depth - 1, lambda tree: part(wire(b"d", DIRECTORY, key9=tree)))


def nodes(levels: int) -> Make:
    """Nodes above each other."""
    return lambda forge: forge.chain(levels, lambda tree: pack({4: [[b"f", tree]]}))


def node(*parts: tuple[bytes, bytes]) -> Make:
    """A node over parts, each with one name, under the names that are given for them."""

    def make(forge: Forge) -> ObjectId:
        listed = [[first, forge.tree(wire(name))] for first, name in parts]
        return forge.put(Kind.TREE, pack({4: listed}))

    return make


def tower(floors: int) -> Make:
    """2^floors files."""

    def make(forge: Forge) -> ObjectId:
        tree = forge.tree(wire(b"a"), wire(b"b"))
        for _ in range(floors):
            tree = forge.tree(wire(b"a", DIRECTORY, key9=tree), wire(b"b", DIRECTORY, key9=tree))
        return tree

    return make


def lists(*levels: int, stated: int = 1) -> Make:
    """A file of content lists above each other, each of one of these levels, with a chunk of one byte at the end."""

    def make(forge: Forge) -> ObjectId:
        inner, frames = forge.put(Kind.CHUNK, b"x"), []
        for number, level in enumerate(levels):
            data = content_list(level, [inner], [stated if number else 1])
            inner = object_id(Kind.LIST, data)
            frames.append(Frame(Kind.LIST, RAW, (inner,), (len(data),), data))
        forge.block(frames)
        return forge.tree(wire(b"l", key5=1, key8=inner))

    return make


SOUND: dict[str, Make] = {
    "as deep as can be": directories(MAX_TREE_DEPTH),
    "as many levels as can be": nodes(MAX_TREE_LEVELS),
    "parts in order": node((b"a", b"a"), (b"b", b"b")),
    "a few floors": tower(6),
    "lists": lists(0, 1, 2),
}
BROKEN: dict[str, Make] = {
    "too deep": directories(MAX_TREE_DEPTH + 1),
    "much too deep": directories(MAX_TREE_DEPTH + 900),
    "too many levels": nodes(MAX_TREE_LEVELS + 1),
    "parts out of order": node((b"a", b"c"), (b"b", b"b")),
    "endless": tower(40),
    "lists of one level": lists(0, 2),
    "many lists of one level": lists(0, *[1] * 3000),
    "lists of another length": lists(0, 1, stated=2),
}


SLOW = {"as deep as can be", "much too deep", "endless"}
"""What goes thousands of directories deep, but for "too deep", which is in the quick round."""


def cases(these: dict[str, Make]) -> list[Any]:
    """The names, those of the slow ones marked."""
    return [pytest.param(what, marks=[pytest.mark.slow] if what in SLOW else []) for what in these]


def forged(repository: Repository, make: Make) -> None:
    forge = Forge(repository)
    forge.snapshot(make(forge))


def restored(repository: Repository, target: Path) -> bool:
    """Whether all of the snapshot can be restored."""
    try:
        result = restore(repository, repository.snapshots()[0], options=RestoreOptions(target=target))
    except EndlessTree:
        assert not target.exists()
        return False
    finally:
        subprocess.run(["rm", "-rf", target], check=True)  # deeper than Python can remove
    return not result.failures


@pytest.mark.parametrize("what", cases(SOUND))
def test_what_verify_passes(repository: Repository, tmp_path: Path, what: str) -> None:
    """At the bounds everything is in order."""
    forged(repository, SOUND[what])
    assert verify(repository).findings == ()
    assert verify(repository, options=VerifyOptions(structure=True)).findings == ()
    assert restored(repository, tmp_path / "back")


@pytest.mark.parametrize("what", cases(BROKEN))
def test_what_cannot_be_restored(repository: Repository, tmp_path: Path, what: str) -> None:
    """Beyond them verify names the snapshot and where that is, marks it, and a restore says the same."""
    forged(repository, BROKEN[what])
    for options in (VerifyOptions(structure=True), VerifyOptions()):
        found = verify(repository, options=options)
        assert found.damaged
        assert any(finding.files for finding in found.findings)
        assert repository.snapshots()[0].suspect
    assert not restored(repository, tmp_path / "back")


def test_a_deep_directory_elsewhere(repository: Repository) -> None:
    """A tree that is too deep at one path is named there, and not where it stands higher."""

    def make(forge: Forge) -> ObjectId:
        low = directories(MAX_TREE_DEPTH)(forge)
        return forge.tree(wire(b"above", DIRECTORY, key9=low))

    forged(repository, directories(MAX_TREE_DEPTH))
    forged(repository, make)
    found = verify(repository)
    assert [finding.files_total for finding in found.findings] == [1]
    assert display(found.findings[0].files[0].path).startswith("above/d/d")
    assert [bool(one.suspect) for one in repository.snapshots()] == [False, True]


@pytest.mark.slow
def test_a_snapshot_of_a_deep_directory(repository: Repository, tmp_path: Path, clock: FixedClock) -> None:
    """What is deeper than can be followed is told and left out; all above it is stored, and verifies clean."""
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(MAX_TREE_DEPTH + 3):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    result = take_snapshot(repository, [tmp_path / "d"], options=SnapshotOptions(), clock=clock)
    subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)
    assert [(path.count(b"d"), what) for path, what in result.problems] == [
        (MAX_TREE_DEPTH, f"deeper than the {MAX_TREE_DEPTH:,} directories that are stored")
    ]
    assert verify(repository).findings == ()
