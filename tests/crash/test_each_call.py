"""Killed and failed at chosen calls of every operation; `make test-crash` does so at all of them."""

from __future__ import annotations

import pytest

from tests.faults import by_strace
from tests.faults.operations import OPERATIONS
from tests.faults.shim import BY_NAME, FAILURES, KILLED, build
from tests.faults.sweep import Task, sweep

NAMES = [operation.name for operation in OPERATIONS]


def struck(tasks: list[Task]) -> int:
    """How many calls were struck, without anything to complain of."""
    outcomes = list(sweep(tasks, library=build()))
    complaints = [each for outcome in outcomes for each in outcome.complaints]
    assert not complaints, "\n".join(complaints)
    return sum(outcome.struck.total() for outcome in outcomes)


@pytest.mark.slow
def test_killed_before_a_call() -> None:
    """Nothing committed is lost, the repository opens and verifies, and the same command completes afterwards."""
    assert struck([Task(name, KILLED, 2) for name in NAMES]) == 2 * len(NAMES)


@pytest.mark.slow
def test_a_call_fails() -> None:
    """The same, and the command ends with a documented code and a message that says what it was."""
    tasks = [
        Task(name, FAILURES[(number + each) % len(FAILURES)], 1) for number, name in enumerate(NAMES) for each in (0, 3)
    ]
    assert struck(tasks) == len(tasks)


@pytest.mark.parametrize(
    ("operation", "fault", "where"),
    [
        ("init", "killed", "/store"),  # a directory where making a repository was begun was no empty one
        ("restore of a memory", "EMFILE once", "/memory/entities"),  # not looked into, so nothing in it was removed
        ("restore over", "EMFILE once", "/back/d1"),  # said to be in the way
        ("export", "EIO once", r"/\.icc-unfinished-\w+"),
        ("export", "EIO once", "/three.tar"),  # a close that failed was tried again
        ("forget", "EMFILE once", "/store/lock.mdb"),  # taken for damage
        ("run-due", "ENOSPC once", r"^pwrite .*/store/data\.mdb"),  # the next chore took what LMDB said then for damage
        ("import of a memory", "EMFILE once", "/backup/manifest.json"),  # stored as one of the memory's own files
        ("import of a memory", "EACCES once", "/backup/SHA256SUMS"),  # likewise, since the scan could open it
        ("import of a memory", "EACCES once", "/backup/manifest.json"),
        ("gc --compact", "EIO once", r"/store/compact\.tmp"),  # closed twice, and told of the second time
        ("validate --fix-indexes", "killed", r"^write .*/Pattern/\.icc-restore-\w+"),  # stayed for ever
        ("validate --fix-indexes", "EIO from then on", r"^renameat .*/tag-index\.json"),  # likewise
        ("validate --fix-indexes", "EMFILE once", r"^openat64 .*/indexes/tag-index\.json"),  # the reason was not said
        ("parity", "EACCES once", "^opendir .*/store/parity"),  # taken for a directory without groups, or not said
        ("parity", "EMFILE once", "/store/parity/newest"),  # taken for damage
        ("repair with parity", "EACCES once", r"^open64 .*/store/data\.mdb"),  # said to be no repository
        ("repair with parity", "EIO once", r"^(fstat|mmap)64 .*/store/data\.mdb"),  # likewise, or called "invalid"
        ("run-due", "EIO once", r"^open64 .*/store/data\.mdb"),  # what verify had found was counted and not said
        ("restore of a memory", "EIO once", r"^pwrite .*/data\.mdb"),  # why the database had closed itself was not said
        ("run-due", "EMFILE once", r"^open64 .*/store/data\.mdb"),  # what kept verify from looking was a finding
        ("run-due", "EACCES once", r"^open64 .*/store/data\.mdb"),
        ("restore", "EIO once", "^close .*/back"),  # a close that failed was tried again
        ("restore over", "killed", r"\.icc-restore-\w+"),  # a file with this name stayed for ever
        ("restore", "killed", r"/back/d1/\w+"),  # where the directory is new, unfinished files have their own names
        ("export", "killed", r"/\.icc-unfinished-\w+"),  # likewise
    ],
)
def test_what_once_went_wrong(operation: str, fault: str, where: str) -> None:
    """Calls that this harness has found mistakes at."""
    assert struck([Task(operation, BY_NAME[fault], where=where)])


@pytest.mark.slow
def test_without_a_compiler() -> None:
    """strace stands in for the shim, and finds nothing either."""
    if not by_strace.available():
        pytest.skip("needs strace, and leave to trace")
    outcomes = list(sweep([Task("forget", KILLED, 3), Task("forget", BY_NAME["EIO once"], 2)]))
    assert [each for outcome in outcomes for each in outcome.complaints] == []
    assert sum(outcome.struck.total() for outcome in outcomes) == 5
