"""Makes a virtual environment with the locked dependencies and this project in it, once.

    python tools/make_venv.py .venv runtime      what icc-store needs, for `make demo`
    python tools/make_venv.py .venv dev          the same and the tools, for `make test`
    python tools/make_venv.py .venv fuzz         the same and atheris, for `make fuzz`, where there is a wheel of it

A stamp in the environment holds a digest of everything it was made from, so a second run costs nothing and a
changed lock is noticed. Packages come from wherever pip of this machine is set to get them; their hashes are ours.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools import pythons

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "runtime": ("requirements.lock", "requirements-build.lock"),
    "dev": ("requirements-dev.lock",),
    "fuzz": ("requirements-dev.lock", "requirements-fuzz.lock"),
}
COVERED_BY = {"runtime": ("fuzz", "dev", "runtime"), "dev": ("fuzz", "dev"), "fuzz": ("fuzz",)}


class SetupError(Exception):
    """The environment cannot be made; the message says why."""


def ensure(folder: Path, contents: str, interpreter: pythons.Interpreter) -> Path:
    """The Python of an environment in `folder` that holds `contents`, made now if it is not there yet."""
    with (ROOT / "pyproject.toml").open() as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # two runs of make at once: the second waits and finds it done
        if not _is_ready(folder, contents, interpreter):
            _set_up(folder, contents, interpreter)
    return folder / "bin" / "python"


def _is_ready(folder: Path, contents: str, interpreter: pythons.Interpreter) -> bool:
    """Whether the environment is there and its stamp fits. A larger one will do for a smaller."""
    stamps = (_read(folder / f"stamp-{one}") == _digest(one, interpreter) for one in COVERED_BY[contents])
    return (folder / "bin" / "python").exists() and any(stamps)


def _set_up(folder: Path, contents: str, interpreter: pythons.Interpreter) -> None:
    print(f"Setting up {folder.name} with Python {interpreter.label} from {' '.join(LOCKS[contents])} ...", flush=True)
    python = folder / "bin" / "python"
    made_as = f"{interpreter.label} {folder}"
    if _read(folder / "stamp-python") != made_as or not python.exists():
        create(folder, interpreter)
    install_locked(python, *LOCKS[contents])
    pip(python, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    (folder / "stamp-python").write_text(made_as)
    (folder / f"stamp-{contents}").write_text(_digest(contents, interpreter))


def create(folder: Path, interpreter: pythons.Interpreter) -> Path:
    """An empty environment with pip. Where the system's Python lacks ensurepip, its own pip puts one in."""
    python = folder / "bin" / "python"
    make = [str(interpreter.path), "-m", "venv", "--clear"]
    first = subprocess.run([*make, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if first.returncode:
        _run([*make, "--without-pip", str(folder)])
        _run([str(interpreter.path), "-m", "pip", "--python", str(python), "install", "--quiet", "pip"])
    return python


def install_locked(python: Path, *locks: str) -> None:
    """Exactly what the locks name, each file checked against its hash."""
    pip(python, "install", "--require-hashes", *(f"--requirement={ROOT / lock}" for lock in locks))


def pip(python: Path, *arguments: str) -> None:
    """Run pip, quietly, with the settings that this machine has for it."""
    _run([str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-input", *arguments])


def _run(command: list[str]) -> None:
    if subprocess.run(command, cwd=str(ROOT), check=False).returncode:
        raise SetupError("this failed: " + " ".join(command))


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""


def _digest(contents: str, interpreter: pythons.Interpreter) -> str:
    digest = hashlib.sha256(f"{interpreter.label} {ROOT}".encode())
    for name in (*LOCKS[contents], "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description="make a virtual environment with the locked dependencies")
    parser.add_argument("folder", type=Path)
    parser.add_argument("contents", choices=sorted(LOCKS))
    options = parser.parse_args()
    try:
        interpreter = pythons.first()
        if interpreter is None:
            raise SetupError(pythons.none_found())
        ensure(Path(os.path.abspath(options.folder)), options.contents, interpreter)
    except SetupError as error:
        print(f"make_venv: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
