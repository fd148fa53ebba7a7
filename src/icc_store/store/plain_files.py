"""A repository is made of plain files and directories. Links and pipes in it lead elsewhere or never end.

Somebody who hands over a repository may have put them there: a link in the place of a lock file would have its target
written to, by us or by liblmdb, and a pipe would be waited for.
"""

from __future__ import annotations

import errno
import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from icc_store.errors import NotARepository


def read_plain(path: Path, most: int) -> bytes:
    """The beginning of a plain file: `most` bytes, and one more where it is longer. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a plain file", os.fspath(path))
        return file.read(most + 1)


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of a file, for reading. Raises OSError; ValueError for an empty file.

    The length is asked for here: `mmap` takes one that the system cannot tell for none, and calls that an invalid
    argument.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        with mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) as data:
            yield data


def remove_folder(path: Path) -> None:
    """Remove a directory of a repository with all in it. No link is followed. Raises OSError.

    `shutil.rmtree` closes a second time what it could not close, and tells of that even when it is to tell of nothing.
    """
    if not stat.S_ISDIR(os.lstat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(path))
    for name in os.listdir(path):
        each = path / name
        if stat.S_ISDIR(os.lstat(each).st_mode):
            remove_folder(each)
        else:
            os.unlink(each)
    os.rmdir(path)


def require_plain_files(path: Path) -> None:
    """Raise NotARepository where anything directly in the repository at `path` is neither file nor directory."""
    try:
        with os.scandir(path) as entries:
            odd = [
                one.name
                for one in entries
                if not (one.is_file(follow_symlinks=False) or one.is_dir(follow_symlinks=False))
            ]
    except OSError:
        return  # what cannot be looked into cannot be opened either, and that says why
    if odd:
        raise NotARepository(
            f"{path / min(odd)} is neither a file nor a directory, so it is no part of a repository",
            hint="do not use the repository of somebody you do not trust; else remove it, or put the file itself there",
        )
