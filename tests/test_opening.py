"""Making repositories: what is begun and cut short can be begun again, and nothing of anybody else's is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.errors import NotARepository, RepositoryExists
from icc_store.model.header import HEADER_NAME, UNFINISHED_NAME, announce_header, new_header
from icc_store.opening import USE_LOCK, create_copy, create_repository, open_repository
from icc_store.operations.verify import verify
from tests.support.snapshots import take


def unfinished(path: Path) -> Path:
    """All that is there when making a repository is cut short before its last step."""
    create_repository(path)
    (path / HEADER_NAME).rename(path / UNFINISHED_NAME)
    return path


def test_begun_and_cut_short(tmp_path: Path) -> None:
    """Making it again gives a repository like any other, and nothing of the first attempt stays."""
    path = unfinished(tmp_path / "r")
    (path / "data.mdb").write_bytes(b"half")
    create_repository(path)
    assert not (path / UNFINISHED_NAME).exists()
    with open_repository(path) as repository:
        take(repository)
        assert not verify(repository).findings


def test_a_copy_cut_short(tmp_path: Path) -> None:
    """The same of a copy, which has the repository's id."""
    original = new_header()
    create_copy(unfinished(tmp_path / "r"), original)
    with open_repository(tmp_path / "r") as repository:
        assert repository.header.repository == original.repository


def test_cut_short_at_its_first_step(tmp_path: Path) -> None:
    """A directory with nothing but the lock is as good as an empty one."""
    (tmp_path / USE_LOCK).touch()
    create_repository(tmp_path)
    with pytest.raises(RepositoryExists):
        create_repository(tmp_path)


@pytest.mark.parametrize("name", ["notes.md", "data.mdb"])
def test_what_is_of_somebody_else_stays(tmp_path: Path, name: str) -> None:
    """A directory with a file that no attempt of ours made is refused, and nothing is added to it."""
    (tmp_path / name).write_bytes(b"kept")
    with pytest.raises(NotARepository, match="not empty"):
        create_repository(tmp_path)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [(name, b"kept")]


def test_something_was_put_into_an_unfinished_one(tmp_path: Path) -> None:
    """It is refused, for nobody knows whose that is."""
    path = unfinished(tmp_path / "r")
    (path / "notes.md").write_bytes(b"kept")
    with pytest.raises(NotARepository, match="not empty"):
        create_repository(path)
    assert (path / "data.mdb").exists()


def test_a_lost_header_is_no_unfinished_repository(tmp_path: Path) -> None:
    """A repository whose header was deleted keeps its data, whatever is made there."""
    create_repository(tmp_path / "r")
    with open_repository(tmp_path / "r") as repository:
        take(repository)
    (tmp_path / "r" / HEADER_NAME).unlink()
    before = (tmp_path / "r/data.mdb").read_bytes()
    with pytest.raises(NotARepository):
        create_repository(tmp_path / "r")
    assert (tmp_path / "r/data.mdb").read_bytes() == before


def test_an_announced_header_alone(tmp_path: Path) -> None:
    """A directory that holds an announced header and nothing else becomes a repository."""
    announce_header(tmp_path, new_header())
    create_repository(tmp_path)
    with open_repository(tmp_path) as repository:
        assert repository.snapshots() == []
