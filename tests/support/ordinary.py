"""A place that an ordinary user can reach by its whole path, for what opens repositories and walks trees."""

from __future__ import annotations

import importlib
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fs.roles import as_ordinary_user

LOADED_LATE = ("concurrent.futures.thread", "ctypes", "difflib", "encodings.ascii", "pyfastcdc.cy", "sqlite3")
"""What the program imports only when it needs it: then it may be out of an ordinary user's reach."""

for module in LOADED_LATE:
    importlib.import_module(module)


@contextmanager
def open_place() -> Iterator[Path]:
    """A directory that everybody may enter; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield Path(name)


def ordinarily(function: Callable[[Path], None]) -> None:
    """Call `function` as an ordinary user standing in a directory of their own; it gets the relative path to that."""
    with open_place() as place:
        as_ordinary_user(function, place)
