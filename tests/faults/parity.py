"""Repositories with parity: what operations on them begin with, and that parity is worth something afterwards."""

from __future__ import annotations

import random
import shutil

from icc_store.opening import open_repository
from icc_store.operations.parity import status
from icc_store.operations.verify import verify
from tests.faults import beginnings
from tests.faults.stage import Stage
from tests.support.live import contents
from tests.support.mending import repaired, zero_pages

_DAMAGED = 0.04
"""Of the pages, where parity is for a twentieth."""


def three(stage: Stage) -> None:
    """Three snapshots: of two there are sums, of the third one second copies. The directory has changed since."""
    stage.good("init", "--parity", "5%")
    for number, name in enumerate(("one", "two"), 1):
        stage.snapshot(beginnings.notes(stage, number), name)
    stage.good("parity", "5%")
    stage.snapshot(beginnings.notes(stage, 3), "three")
    beginnings.notes(stage, 4)


def forgotten(stage: Stage) -> None:
    """The same with two snapshots forgotten for good."""
    three(stage)
    stage.good("forget", "one", "two", "--purge")


def loose(stage: Stage) -> None:
    """The same with one snapshot removed: too little for gc to give it back by itself."""
    three(stage)
    stage.good("forget", "one", "--purge")
    stage.good("gc", "--keep-last", "9", "--now")
    del stage.snapshots["one"]


def large(stage: Stage) -> None:
    """More is to be stored than second copies are kept of."""
    three(stage)
    (stage.top / "notes/large").write_bytes(random.Random(1).randbytes(1_500_000))


def damaged(stage: Stage) -> None:
    """Pages are zeroed, and the header is gone."""
    three(stage)
    zero_pages(stage.repository / "data.mdb", _DAMAGED, random.Random(2))
    (stage.repository / "repository.json").unlink()


def brings_everything_back(stage: Stage) -> None:
    """Parity is whole, and a repair of a copy with damaged pages brings back all that was there."""
    with open_repository(stage.repository, readonly=True) as repository:
        assert status(repository).whole, status(repository)
        before = {one.id: contents(repository, one) for one in repository.snapshots(forgotten=True)}
    path = shutil.copytree(stage.repository, stage.top.with_name("damaged"))
    try:
        zero_pages(path / "data.mdb", _DAMAGED, random.Random(len(before)))
        result = repaired(path)
        assert not result.parity.lost, result.parity
        with open_repository(path, readonly=True) as repository:
            found = {one.id: contents(repository, one) for one in repository.snapshots(forgotten=True)}
        assert found == before, f"{found.keys()} came back, of {before.keys()}"
    finally:
        shutil.rmtree(path)


def all_is_back(stage: Stage) -> None:
    """Every snapshot is what it was, and nothing is damaged any more."""
    with open_repository(stage.repository) as repository:
        assert {one.record.name: contents(repository, one) for one in repository.snapshots()} == stage.snapshots
        assert not verify(repository).findings
    brings_everything_back(stage)


def is_off(stage: Stage) -> None:
    """There is none."""
    with open_repository(stage.repository) as repository:
        assert not repository.header.has_parity
    assert not (stage.repository / "parity").exists()
