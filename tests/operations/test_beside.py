"""Work in a child, beside that of its parent."""

from __future__ import annotations

import os
import signal

import pytest

from icc_store.errors import BlockDamaged
from icc_store.model.repository import Repository
from icc_store.operations.beside import beside
from tests.support.processes import children


def test_the_child_reads_while_its_parent_does(repository: Repository) -> None:
    """Both see the repository, and the result comes from another process."""
    repository.annotate_all([])
    with beside(repository, lambda: (os.getpid(), repository.snapshots())) as result:
        assert repository.snapshots() == []
        pid, found = result()
    assert pid != os.getpid()
    assert found == []


def test_what_the_work_raises_is_raised_here(repository: Repository) -> None:
    """As the very error that it was."""

    def fail() -> None:
        raise BlockDamaged("block 7 is damaged")

    with beside(repository, fail) as result, pytest.raises(BlockDamaged, match="block 7"):
        result()


def test_what_a_killed_child_did_not_do_is_done_here(repository: Repository) -> None:
    """So nothing is missing in the end."""
    parent = os.getpid()

    def work() -> int:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid()

    with beside(repository, work) as result:
        assert result() == parent


def test_a_child_that_nobody_waits_for_ends(repository: Repository) -> None:
    """When the body fails, and the work would have gone on for ever."""
    before = children()
    with pytest.raises(ZeroDivisionError), beside(repository, signal.pause):
        raise ZeroDivisionError
    assert children() == before
