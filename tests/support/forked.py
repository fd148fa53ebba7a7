"""The program in a child of this very process: as a user meets it, in a hundredth of a second instead of a tenth.

Whatever the child does to itself, be it a crash in a library, this process only sees how it ended.
"""

from __future__ import annotations

import faulthandler
import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from icc_store.cli import main
from icc_store.cli.main import HELP_LINES, load
from tests.support.program import Done

_SECONDS = 60
_BROKEN = 99


def preload() -> None:
    """Import what commands import late, once for all children."""
    for name in HELP_LINES:
        load(name)
    for operation in ("snapshot", "gc", "verify", "restore", "find", "diff", "stats", "repair", "salvage"):
        importlib.import_module(f"icc_store.operations.{operation}")


def forked(arguments: Sequence[object], environ: Mapping[str, str], scratch: Path) -> Done:
    """Run the program to its end. A negative code is the signal that ended it, as with `subprocess`."""
    out, err = scratch / "out", scratch / "err"
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            faulthandler.disable()  # a crash is what the tests of damage expect of some children
            signal.alarm(_SECONDS)
            for number, path in ((1, out), (2, err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), number)
            sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
            os.environ.clear()
            os.environ.update(environ)
            main.main([str(argument) for argument in arguments])
        finally:
            os._exit(_BROKEN)
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it started, if the alarm ended it
    code = os.waitstatus_to_exitcode(status)
    return Done(code, out.read_text("utf-8", "replace"), err.read_text("utf-8", "replace"))
