"""The golden repository with parity, as inputs to start from, and files to put inputs into."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from icc_store.model.header import read_header
from tests.golden.unpacked import unpack

_ARCHIVE = Path(__file__).parent.parent / "tests" / "golden" / "parity-v1.tar.xz"


@dataclass(frozen=True)
class Golden:
    """Whole files, and the id of the repository that they belong to."""

    owner: bytes
    group: bytes
    newest: bytes
    database: bytes


@cache
def golden() -> Golden:
    """What is in the archive."""
    with tempfile.TemporaryDirectory() as place:
        unpack(_ARCHIVE, Path(place))
        path = next(Path(place).rglob("repository.json")).parent
        files = ("parity/0000000001.parity", "parity/newest", "data.mdb")
        return Golden(read_header(path).repository, *((path / name).read_bytes() for name in files))


class InputFile:
    """A file that holds one input after the other."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="icc-store-fuzz-")
        self.folder = Path(self._folder.name)
        self.path = self.folder / "input"

    def holding(self, data: bytes) -> Path:
        """Where the file is, with these bytes in it."""
        self.path.write_bytes(data)
        return self.path
