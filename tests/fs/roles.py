"""What a test needs to look at both sides of a privilege: root's, and that of an ordinary user."""

from __future__ import annotations

import importlib.util
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

IS_ROOT = os.geteuid() == 0
NOBODY = 65534

_CHILD = """
import sys
from tests.fs.roles import call_in_child
call_in_child(sys.argv[1], sys.argv[2])
"""


def as_ordinary_user(function: Callable[[Path], None], directory: Path) -> None:
    """Call `function` with an empty directory of its own below `directory`, as a user without any privilege.

    It runs in a process of its own, standing in that directory, since an ordinary user may not even reach it.
    """
    own = directory / "own"
    own.mkdir()
    if IS_ROOT:
        os.chown(own, NOBODY, NOBODY)
    root = Path(__file__).resolve().parents[2]
    python_path = os.pathsep.join([str(root), *(path for path in sys.path if path)])
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, function.__code__.co_filename, function.__name__],
        cwd=own,
        env={**os.environ, "PYTHONPATH": python_path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr


def call_in_child(file: str, name: str) -> None:
    """Load the test module while everything can still be read, give up root, call the function."""
    specification = importlib.util.spec_from_file_location("module_of_the_test", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    import ctypes  # noqa: F401  # what the code under test imports late may be out of an ordinary user's reach

    import icc_store.operations.second_scan  # noqa: F401  # as above

    if IS_ROOT:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    getattr(module, name)(Path())


def acl(*entries: tuple[int, int, int]) -> bytes:
    """A POSIX ACL as the kernel keeps it: (tag, permissions, id) each."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NO_ID = 0xFFFFFFFF
ACL_FOR_A_FRIEND = acl((1, 6, NO_ID), (2, 6, 1234), (4, 4, NO_ID), (16, 6, NO_ID), (32, 0, NO_ID))
"""The owner and user 1234 may write, the group may read. As a mode it is 0660, since the mask stands for the group."""
