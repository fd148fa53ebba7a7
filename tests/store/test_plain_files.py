"""Directories of a repository are removed with all in them, and nothing that links in them lead to."""

from __future__ import annotations

from pathlib import Path

import pytest

from icc_store.store.plain_files import remove_folder


def test_a_folder_goes_with_all_in_it(tmp_path: Path) -> None:
    """Files, directories and links; what the links mean stays."""
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    precious.mkdir()
    (precious / "file").write_bytes(b"kept")
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/file").write_bytes(b"x")
    (folder / "inner/link").symlink_to(precious)
    (folder / "link").symlink_to(precious / "file")
    remove_folder(folder)
    assert sorted(tmp_path.iterdir()) == [precious]
    assert (precious / "file").read_bytes() == b"kept"


@pytest.mark.parametrize("what", ["link", "file"])
def test_only_a_directory_is_removed(tmp_path: Path, what: str) -> None:
    """A link in its place leads elsewhere: nothing is removed there."""
    precious, folder = tmp_path / "precious", tmp_path / "folder"
    precious.mkdir()
    (precious / "file").write_bytes(b"kept")
    folder.symlink_to(precious) if what == "link" else folder.write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        remove_folder(folder)
    assert (precious / "file").read_bytes() == b"kept"
    assert folder.lstat()
