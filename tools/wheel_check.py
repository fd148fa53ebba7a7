"""Builds the wheel, installs it into an empty environment, and takes a first snapshot with it there.

What the tests cannot see: a module, a type marker, a slash command or a dependency that is missing in what is
published.
"""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from tools import make_venv, pythons

ROOT = Path(__file__).resolve().parent.parent


class WheelError(Exception):
    """The wheel is not fit to be published; the message says why."""


def build(folder: Path) -> Path:
    """Build the wheel from the working tree into `folder`."""
    run([sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)], ROOT)
    (wheel,) = folder.glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Everything in src, links followed, and the type marker are in; nothing else is."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    wanted = {
        (Path(folder) / name).relative_to(source).as_posix()
        for folder, _, names in os.walk(source, followlinks=True)
        for name in names
        if "__pycache__" not in folder
    }
    if inside != wanted or "icc_store/py.typed" not in inside:
        raise WheelError(f"the wheel does not hold what src holds: {sorted(inside ^ wanted | {'icc_store/py.typed'})}")


def install(wheel: Path, folder: Path) -> Path:
    """An empty environment with the locked dependencies and the wheel. What it declares must be satisfied by them."""
    interpreter = pythons.probe(Path(sys.executable))
    if interpreter is None:
        raise WheelError("the running Python cannot make a virtual environment")
    python = make_venv.create(folder, interpreter)
    make_venv.install_locked(python, "requirements.lock")
    make_venv.pip(python, "install", "--no-index", str(wheel))
    make_venv.pip(python, "check")
    return python


def first_snapshot(program: Path, folder: Path) -> None:
    """init, snapshot, restore, verify and integrate with the installed program, far from the source tree."""
    source, target, repository = folder / "source", folder / "target", folder / "repository"
    (source / "notes").mkdir(parents=True)
    (source / "notes" / "first.md").write_text("# First\n\nA note to get back.\n")
    (source / "empty").write_bytes(b"")
    (source / "large").write_bytes(os.urandom(3 << 20))
    base = [str(program), "--repo", str(repository)]
    run([str(program), "--version"], folder)
    run([*base, "init"], folder)
    run([*base, "snapshot", str(source)], folder)
    run([*base, "restore", "latest", "--target", str(target)], folder)
    run([*base, "verify"], folder)
    run([*base, "integrate", "claude-code"], folder)
    if not (folder / ".claude" / "commands" / "icc-memory-backup.md").is_file():
        raise WheelError("the slash commands are not in the wheel")
    for path in sorted(source.rglob("*")):
        twin = target / path.relative_to(source)
        if path.is_file() and not (twin.is_file() and filecmp.cmp(path, twin, shallow=False)):
            raise WheelError(f"{path.relative_to(source)} did not come back as it was")


def run(command: list[str], folder: Path) -> None:
    """Run one command with a home of its own; its output shows only when it fails."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("ICC_STORE_", "PYTHON"))}
    environment["HOME"] = str(folder)
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        raise WheelError(f"exit {done.returncode} from {' '.join(command)}\n{done.stdout}")


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="icc-store-wheel-") as name:
        folder = Path(name)
        try:
            wheel = build(folder / "dist")
            check_contents(wheel)
            python = install(wheel, folder / "environment")
            first_snapshot(python.parent / "icc-store", folder)
        except (WheelError, make_venv.SetupError) as error:
            print(f"wheel_check: {error}", file=sys.stderr)
            return 1
        print(f"{wheel.name}: built, installed into an empty environment, snapshot taken and restored there")
    return 0


if __name__ == "__main__":
    sys.exit(main())
