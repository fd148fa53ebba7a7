"""Whether the pages of a database hang together, found out without liblmdb, which would trust them.

Imported late: a snapshot never needs it.
"""

from __future__ import annotations

import os
from pathlib import Path

from lmdb.verify import VerifyError, verify


def structure_problems(file: Path) -> list[str]:
    """What is wrong with the pages of the newest commit and the list of free ones; empty when nothing is."""
    try:
        found: list[str] = verify(os.fspath(file))  # type: ignore[no-untyped-call]  # lmdb has no types for it
    except VerifyError as error:
        return [str(error)]
    return found
