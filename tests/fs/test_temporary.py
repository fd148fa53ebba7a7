"""The place for temporary directories belongs to one user, and to nobody else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from icc_store.errors import TargetError
from icc_store.fs.temporary import open_place


def mode_of(place: Path) -> int:
    descriptor = open_place(place)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def test_a_missing_place_is_made_for_one_user(tmp_path: Path) -> None:
    """It and what is missing above it are made with mode 0700, whatever the umask allows."""
    before = os.umask(0)
    try:
        assert mode_of(tmp_path / "cache" / "icc-store" / "tmp") == 0o700
    finally:
        os.umask(before)
    for above in ("cache", "cache/icc-store"):
        assert stat.S_IMODE((tmp_path / above).stat().st_mode) == 0o700


def test_a_place_that_is_there_is_used_as_it_is(tmp_path: Path) -> None:
    """A directory of the user's own that others may look at, but not write to, is good enough."""
    (tmp_path / "mine").mkdir(mode=0o755)
    assert mode_of(tmp_path / "mine") == 0o755


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
def test_others_may_not_write_there(tmp_path: Path, mode: int) -> None:
    """A directory that a group or everybody may write to is refused, sticky or not; the message names its mode."""
    place = tmp_path / "shared"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(TargetError, match=f"others may write to .*{mode:04o}") as refusal:
        open_place(place)
    assert "temp_directory" in str(refusal.value)


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link is refused, also one to a good directory, and one that leads nowhere."""
    (tmp_path / "good").mkdir(mode=0o700)
    for name, target in (("link", "good"), ("dangling", "nowhere")):
        (tmp_path / name).symlink_to(tmp_path / target)
        with pytest.raises(TargetError, match="symbolic link"):
            open_place(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_it_must_be_ones_own(tmp_path: Path) -> None:
    """A directory of another user is refused, even to root, and the message names that user."""
    place = tmp_path / "theirs"
    place.mkdir(mode=0o700)
    os.chown(place, 12_345, 12_345)
    with pytest.raises(TargetError, match="belongs to user 12345"):
        open_place(place)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    """A file in its place, or above it, is an error that names the place."""
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(TargetError, match=r"file.* cannot hold temporary files"):
            open_place(place)
