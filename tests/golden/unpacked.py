"""Unpacking the archives of this directory."""

from __future__ import annotations

import tarfile
from pathlib import Path


def unpack(archive: Path, place: Path) -> None:
    """Put what an archive holds below `place`."""
    with tarfile.open(archive) as source:
        # Pythons before 3.11.4 do not know filters, and those from 3.14 on want one.
        source.extraction_filter = getattr(tarfile, "data_filter", None)
        source.extractall(place)
