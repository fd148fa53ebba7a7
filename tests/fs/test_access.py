"""Why a file could not be read, and the command that would help: proposed, never run."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from icc_store.fs.access import Access
from icc_store.fs.metadata import MetadataReader
from tests.support.ordinary import ordinarily

DENIED = PermissionError(errno.EACCES, "Permission denied")


def explained(top: Path, stored: bytes, error: OSError = DENIED, *, under: bytes = b"") -> str:
    access = Access(MetadataReader())
    fd = os.open(top, os.O_RDONLY)
    try:
        access.below(fd, under)
        return access.explain(stored, error)
    finally:
        os.close(fd)


def the_owner(_: Path) -> None:
    here = Path.cwd()
    (here / "d").mkdir()
    for name in ("plain", "it's a \udcff\n\\name", "d/below"):
        file = here / name
        file.write_text("x")
        file.chmod(0o200)
        said = explained(here, os.fsencode(name))
        assert ", mode 0200); to allow it: chmod u+r " in said
        subprocess.run(["bash", "-c", said.partition("to allow it: ")[2]], check=True)
        assert file.stat().st_mode & 0o777 == 0o600
        assert "to allow it" not in explained(here, os.fsencode(name))
    (here / "d").chmod(0o600)
    for stored in (b"top/d", b"top/d/below"):
        assert explained(here, stored, under=b"top").endswith(f"mode 0600); to allow it: chmod u+rx {here}/d")
    (here / "d").chmod(0o700)


def test_the_owner_may_allow_it() -> None:
    """For one's own files the command is chmod; of a closed directory it names that, whatever was asked for in it."""
    ordinarily(the_owner)


def somebody_elses(_: Path) -> None:
    said = explained(Path("/etc"), b"shadow")
    assert said.startswith("Permission denied (root:")
    assert "to allow it: sudo setfacl -m u:" in said
    assert said.endswith(":r /etc/shadow")


def test_somebody_elses_file() -> None:
    """For another's file it is a command that gives this one user the right to read, and nobody else."""
    ordinarily(somebody_elses)


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), OSError("odd")])
def test_other_errors(tmp_path: Path, error: OSError) -> None:
    """What has nothing to do with permissions is said as the system says it."""
    assert explained(tmp_path, b"x", error) == (error.strerror or "odd")


def test_what_has_gone_meanwhile(tmp_path: Path) -> None:
    """A file that is not there any more has no owner to be named."""
    assert explained(tmp_path, b"gone") == "Permission denied"
