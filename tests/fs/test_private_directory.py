"""A private directory is nobody else's, and never left behind."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from icc_store.clock import FixedClock
from icc_store.errors import DiskFull, TargetError
from icc_store.fs.private_directory import private_directory

HOUR = 3_600_000_000_000


def test_only_its_owner_looks_into_it(tmp_path: Path) -> None:
    """It has mode 0700 whatever the umask, in a place that is made when it is missing."""
    before = os.umask(0)
    try:
        with private_directory(tmp_path / "a/b", 0) as made:
            assert stat.S_IMODE(made.stat().st_mode) == 0o700
            assert stat.S_IMODE((tmp_path / "a/b").stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_its_name_is_never_the_same(tmp_path: Path) -> None:
    """Nobody can wait for it under a name known beforehand."""
    with private_directory(tmp_path, 0) as first, private_directory(tmp_path, 0) as second:
        assert first != second
        assert len(first.name) > 32


@pytest.mark.parametrize("end", [None, ValueError, KeyboardInterrupt])
def test_it_is_gone_afterwards(tmp_path: Path, end: type[BaseException] | None) -> None:
    """Whatever ends its use, nothing is left, be it locked against its own owner."""

    def use() -> None:
        with private_directory(tmp_path, 0) as made:
            (made / "deep/er").mkdir(parents=True)
            (made / "deep/er/file").write_text("x")
            (made / "deep").chmod(0)
            if end is not None:
                raise end

    if end is None:
        use()
    else:
        with pytest.raises(end):
            use()
    assert list(tmp_path.iterdir()) == []


def test_without_room_nothing_is_made(tmp_path: Path) -> None:
    """A disk that cannot hold what is to come is refused beforehand."""
    with pytest.raises(DiskFull, match="has room for"), private_directory(tmp_path, 1 << 62):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file cannot hold a directory; the message says which it is."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(TargetError, match="file"), private_directory(tmp_path / "file", 0):
        pass


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    """The next one in the same place removes it: not what is still in use, nor anything young or of another name."""
    with private_directory(tmp_path, 0) as used:
        left = used.with_name(used.name[:-4] + "left")
        (left / "restored").mkdir(parents=True)
        other = tmp_path / "other"
        other.mkdir()
        now = left.stat().st_mtime_ns
        with private_directory(tmp_path, 0, clock=FixedClock(now + HOUR // 2)):
            assert left.exists()
        with private_directory(tmp_path, 0, clock=FixedClock(now + 2 * HOUR)):
            assert not left.exists()
        assert used.exists()
        assert other.exists()


def test_not_where_others_could_meddle_with_it(tmp_path: Path) -> None:
    """A place that everybody may write to is refused, and nothing is made in it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with pytest.raises(TargetError, match="others may write"), private_directory(tmp_path / "shared", 0):
        pass
    assert list((tmp_path / "shared").iterdir()) == []
