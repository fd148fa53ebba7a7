"""A place that an ordinary user can reach by its whole path, for what opens repositories and walks trees."""

from __future__ import annotations

import encodings.ascii  # noqa: F401  # loaded late, and then out of an ordinary user's reach
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fs.roles import as_ordinary_user


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
