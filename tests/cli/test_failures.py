"""Whatever ends a command becomes one error with an exit code and a sentence."""

from __future__ import annotations

import errno

import click
import pytest

from icc_store import errors
from icc_store.cli.failures import as_error, exit_codes, is_unexpected
from icc_store.errors import BusyError, DiskFull, IccStoreError, Interrupted, UsageError


@pytest.mark.parametrize(
    ("problem", "kind", "says"),
    [
        (BusyError("pid 7 has it"), BusyError, "pid 7 has it"),
        (KeyboardInterrupt(), Interrupted, "interrupted"),
        (KeyboardInterrupt("SIGTERM"), Interrupted, "interrupted by SIGTERM"),
        (click.exceptions.Abort(), Interrupted, "interrupted"),
        (click.UsageError("No such thing."), UsageError, "no such thing"),
        (MemoryError(), IccStoreError, "not enough memory"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), DiskFull, "/x/y: no space left"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), DiskFull, "no space left"),
        (PermissionError(errno.EACCES, "Permission denied", b"/x/\xff"), IccStoreError, "Permission denied"),
        (OSError("odd"), IccStoreError, "odd"),
        (ValueError("oops"), IccStoreError, "internal error: ValueError ("),
        (RecursionError("deep"), IccStoreError, "RecursionError"),
        (SystemExit(7), IccStoreError, "by itself"),
    ],
)
def test_every_problem_is_an_error_of_ours(problem: BaseException, kind: type[IccStoreError], says: str) -> None:
    """The class decides the exit code; the sentence says what happened and to which file."""
    error = as_error(problem)
    assert type(error) is kind
    assert says in str(error)


def test_every_exit_code_has_one_meaning() -> None:
    """The table has 0 and the code of each class; classes of one code share its meaning."""
    table = exit_codes()
    assert list(table) == sorted(table)
    assert table[0] == "done"
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, IccStoreError):
            assert table[one.exit_code] == one.meaning


@pytest.mark.parametrize(
    ("problem", "unexpected"),
    [
        (BusyError("pid 7 has it"), False),
        (KeyboardInterrupt(), False),
        (click.UsageError("No such thing."), False),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (OSError(errno.EMFILE, "Too many open files"), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (MemoryError(), True),
        (ValueError("oops"), True),
        (SystemExit(7), True),
    ],
)
def test_what_nobody_expected(problem: BaseException, unexpected: bool) -> None:
    """A report is for mistakes of the program and failures of the machine, not for what a user can put right."""
    assert is_unexpected(problem) is unexpected
