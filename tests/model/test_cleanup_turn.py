"""Once a day one process has the turn to clean up."""

from __future__ import annotations

from pathlib import Path

from icc_store.model.cleanup_turn import is_due, take_turn
from icc_store.opening import create_repository, open_repository

NOW = 1_795_000_000_000_000_000
HOUR = 3_600_000_000_000


def test_one_turn_a_day(tmp_path: Path) -> None:
    """The first to ask has it; for 24 hours nobody else does; it is remembered when the repository is opened again."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as repository:
        assert is_due(repository, NOW)
        assert take_turn(repository, NOW)
        assert not is_due(repository, NOW + 23 * HOUR)
        assert not take_turn(repository, NOW + 23 * HOUR)
    with open_repository(tmp_path / "repository") as repository:
        assert not is_due(repository, NOW + 24 * HOUR - 1)
        assert is_due(repository, NOW + 24 * HOUR)
        assert take_turn(repository, NOW + 24 * HOUR)


def test_a_turn_in_the_future_does_not_count(tmp_path: Path) -> None:
    """A clock that was years ahead once does not stop cleaning up for years."""
    create_repository(tmp_path / "repository")
    with open_repository(tmp_path / "repository") as repository:
        assert take_turn(repository, NOW + 10_000 * HOUR)
        assert is_due(repository, NOW)
        assert take_turn(repository, NOW)
        assert not is_due(repository, NOW)
