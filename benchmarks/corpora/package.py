"""Successive releases of a real package with thousands of text files, fetched from the package index."""

import os
import subprocess
import sys
import zipfile
from datetime import UTC, datetime
from pathlib import Path

PACKAGE = "Django"
RELEASES = ("5.0.10", "5.0.11", "5.0.12", "5.0.13", "5.0.14", "5.1", "5.1.1", "5.1.2", "5.1.3", "5.1.4")
"""Ten in a row by version, one of them a feature release."""


class PackageUnavailable(Exception):
    """The releases could not be fetched; the message says what pip said."""


def fetch(directory: Path) -> list[Path]:
    """Return the wheels of all releases in `directory`, downloading those that are missing."""
    directory.mkdir(parents=True, exist_ok=True)
    return [_wheel(directory, release) for release in RELEASES]


def _wheel(directory: Path, release: str) -> Path:
    pattern = f"{PACKAGE.lower()}-{release}-*.whl"
    found = _matching(directory, pattern)
    if not found:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        wanted = ["--no-deps", "--only-binary", ":all:", "--dest", str(directory), f"{PACKAGE}=={release}"]
        done = subprocess.run([*pip, *wanted], capture_output=True, text=True, check=False)
        found = _matching(directory, pattern)
        if not found:
            raise PackageUnavailable(f"{PACKAGE} {release}: {done.stderr.strip()[-300:]}")
    return found[0]


def _matching(directory: Path, pattern: str) -> list[Path]:
    return [path for path in directory.iterdir() if Path(path.name.lower()).match(pattern)]


def unpack(wheel: Path, target: Path) -> None:
    """Unpack one release into the missing directory `target`, with the times that the archive records."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
        for member in archive.infolist():
            _set_time(target / member.filename, datetime(*member.date_time, tzinfo=UTC))
    newest = max(_moments(wheel))
    for directory, _, _ in os.walk(target, topdown=False):
        _set_time(Path(directory), newest)


def _moments(wheel: Path) -> list[datetime]:
    with zipfile.ZipFile(wheel) as archive:
        return [datetime(*member.date_time, tzinfo=UTC) for member in archive.infolist()]


def _set_time(path: Path, moment: datetime) -> None:
    seconds = int(moment.timestamp())
    os.utime(path, (seconds, seconds))
