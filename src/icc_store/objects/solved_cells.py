"""Cells that were solved for, kept in a file until the blocks are made of them: there may be more than memory has."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from icc_store.objects.parity_cells import CELL_SIZE


class SolvedCells:
    """Cells by their numbers."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: dict[int, int] = {}

    def add(self, cells: Mapping[int, bytes]) -> None:
        """Keep these."""
        self._file.seek(len(self._places) * CELL_SIZE)
        for number, cell in cells.items():
            self._places[number] = len(self._places)
            self._file.write(cell)

    def get(self, number: int, otherwise: bytes) -> bytes:
        """The cell of that number, if it was solved for."""
        place = self._places.get(number)
        if place is None:
            return otherwise
        self._file.seek(place * CELL_SIZE)
        return self._file.read(CELL_SIZE)


@contextmanager
def solved_cells(folder: Path) -> Iterator[SolvedCells]:
    """Nothing yet. What is added in the body is kept in a file without a name in this directory."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield SolvedCells(file)
