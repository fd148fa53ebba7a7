"""The public face of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import icc_store


def test_every_public_name_is_there() -> None:
    """What `__all__` promises can be had, and nothing is promised twice."""
    assert len(set(icc_store.__all__)) == len(icc_store.__all__)
    for name in icc_store.__all__:
        assert getattr(icc_store, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A typo is reported as Python does it."""
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = icc_store.no_such_name


def test_importing_the_package_imports_nothing_else() -> None:
    """Names resolve when they are used: start-up time counts."""
    code = "import sys, icc_store; print(sorted(name for name in sys.modules if name.startswith('icc_store.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_example_of_the_documentation_runs(tmp_path: Path) -> None:
    """The first lines of docs/api.md do what they say."""
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "todo.md").write_text("- nothing\n")
    icc_store.create_repository(tmp_path / "store")
    with icc_store.open_repository(tmp_path / "store") as repository:
        options = icc_store.SnapshotOptions(name="before-upgrade", tags=("weekly",))
        made = icc_store.take_snapshot(repository, [notes], options=options)
        assert made.problems == ()
    with icc_store.open_repository(tmp_path / "store", readonly=True) as repository:
        newest = icc_store.resolve(repository, "latest")
        assert newest.record.name == "before-upgrade"
        assert b"".join(icc_store.read_file(repository, newest.record, b"todo.md")) == b"- nothing\n"
