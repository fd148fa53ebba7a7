"""Finds the Pythons on this machine that the project supports, and tries each before naming it.

    python tools/pythons.py            one line each: version and path, the one to work with first

What is found by name may still not run (a version manager's shim for a version that is not active), may be
built without zlib or SQLite, or may be unable to make a virtual environment. So each candidate answers a probe.

This file and make_venv.py run before there is any environment, on whatever Python 3.8 or newer is called python3.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))

PROBE = """
import importlib.util, json, sqlite3, ssl, sys, sysconfig, venv, zlib
print(json.dumps({
    "version": sys.version_info[:3],
    "cpython": sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED"),
    "pip": any(importlib.util.find_spec(name) for name in ("ensurepip", "pip")),
}))
"""
PROBE_SECONDS = 20


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs, is of a supported version, and can make a virtual environment with pip in it."""

    version: tuple[int, int, int]
    path: Path

    @property
    def minor(self) -> tuple[int, int]:
        return self.version[:2]

    @property
    def label(self) -> str:
        return ".".join(str(part) for part in self.version)


def find() -> list[Interpreter]:
    """One interpreter of each supported version: the running one first if it is supported, then by version."""
    found: dict[tuple[int, int], Interpreter] = {}
    for wanted, path in _candidates():
        if wanted not in found:
            interpreter = probe(path)
            if interpreter is not None and interpreter.minor in SUPPORTED:
                found.setdefault(interpreter.minor, interpreter)
    running = sys.version_info[:2]
    return sorted(found.values(), key=lambda one: (one.minor != running, one.minor))


def first() -> Interpreter | None:
    """The interpreter to work with: the running one if it will do, else the oldest supported one there is."""
    running = probe(Path(sys.executable))
    if running is not None and running.minor in SUPPORTED:
        return running
    return next(iter(find()), None)


def probe(path: Path) -> Interpreter | None:
    """The interpreter at `path`, or None when it does not run or cannot make an environment."""
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=PROBE_SECONDS,
            check=True,
        ).stdout
        facts = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if not (facts["cpython"] and facts["pip"]):
        return None
    major, minor, micro = facts["version"]
    return Interpreter((major, minor, micro), path)


def _candidates() -> Iterator[tuple[tuple[int, int], Path]]:
    """Where each version may be, most wanted first: the running Python, PATH, then where version managers put them."""
    running = sys.version_info[:2]
    yield (running[0], running[1]), Path(sys.executable)
    folders = [Path(part) for part in os.environ.get("PATH", "").split(os.pathsep) if part]
    for version in SUPPORTED:
        name = "python{}.{}".format(*version)
        places = [folder / name for folder in folders]
        for root in _installation_roots():
            for pattern in ("{}.{}.*", "cpython-{}.{}.*", "python{}.{}*"):
                places += sorted(root.glob(pattern.format(*version) + "/bin/" + name), reverse=True)
        for place in places:
            if place.is_file() and os.access(str(place), os.X_OK):
                yield version, place


def _installation_roots() -> list[Path]:
    """Folders in which each version of Python has a folder of its own."""
    home = Path(os.path.expanduser("~"))
    roots = [Path(sys.base_prefix).parent, home / ".pyenv" / "versions", home / ".local" / "share" / "uv" / "python"]
    if os.environ.get("PYENV_ROOT"):
        roots.insert(0, Path(os.environ["PYENV_ROOT"]) / "versions")
    return [root for root in roots if root.is_dir()]


def none_found() -> str:
    wanted = ", ".join("{}.{}".format(*version) for version in SUPPORTED)
    return f"no Python found that runs and can make a virtual environment; one of {wanted} is needed"


def main() -> int:
    found = find()
    for interpreter in found:
        print(interpreter.label, interpreter.path)
    if not found:
        print(none_found(), file=sys.stderr)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
