"""What a scan takes of a second one, and what it looks at itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from icc_store.fs.directory_stack import DirectoryStack
from icc_store.fs.excludes import Excludes
from icc_store.fs.live_parts import LiveParts
from icc_store.fs.scan_state import Directory, ScanOptions
from icc_store.fs.second_scan import FoundPart
from icc_store.limits import SECOND_SCAN_NAMES
from icc_store.model.repository import Repository
from icc_store.monitor import SILENT
from icc_store.opening import create_repository, open_repository
from tests.fs.conftest import Place
from tests.support.live import fill


class Asked:
    """A second scan that has nothing."""

    def __init__(self) -> None:
        self.places: list[bytes] = []

    def begin(self, place: bytes) -> FoundPart | None:
        self.places.append(place)
        return None

    def listen(self) -> None:
        """Nothing was made."""

    def close(self) -> None:
        """Nobody runs."""


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as opened:
        yield opened


@pytest.mark.parametrize(
    ("known", "asked"), [({}, [b"0000"]), ({"dropped": {b"0001"}}, []), ({"plain": {b"0001", b"0001-wal"}}, [])]
)
def test_a_directory_is_gone_through_again_without_the_second_scan(
    repository: Repository, place: Place, known: dict[str, set[bytes]], asked: list[bytes]
) -> None:
    """That may have seen a database before it had a log, and nothing of it that was dropped.

    Asking would also tell it that the first scan is back at the beginning, so that it did again what is done.
    """
    fill(place.path, {f"{number:04}": b"" for number in range(SECOND_SCAN_NAMES)})
    second = Asked()

    def refuse(path: bytes, error: OSError) -> None:
        raise error

    with repository.adding() as run:
        options = ScanOptions(b"label", Excludes(), is_large=True)
        parts = LiveParts(run, options, SILENT, refuse, lambda _fd, _stored: second)
        parts.begin(place.fd, b"")
        found = [*parts.of(DirectoryStack(place.fd), Directory(b"", [], **known))]
    assert second.places == asked
    assert sum(len(part.names) for part in found) == SECOND_SCAN_NAMES - len(known.get("dropped", ()))
