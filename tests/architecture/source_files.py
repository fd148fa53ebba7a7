"""The files of this project, read once for all architecture tests."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "icc_store"
BINARY = frozenset((".gz", ".mdb", ".png", ".tar", ".zst", ".bin"))


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, its path from the root, and its text as lines and as a tree."""

    name: str
    path: str
    text: str
    tree: ast.Module = field(repr=False)

    @functools.cached_property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def has_comment(self, first: int, last: int | None = None) -> bool:
        """Whether one of the lines `first` to `last`, or the line before them, holds a comment."""
        return any("#" in line for line in self.lines[max(0, first - 2) : last or first])


def module(name: str, path: str, text: str) -> Module:
    return Module(name, path, text, ast.parse(text))


@functools.cache
def tracked_files() -> tuple[Path, ...]:
    """Every file that is, or would be, under version control; without git, every file outside environments."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    if answer.returncode == 0:
        names = [ROOT / name for name in answer.stdout.decode().split("\0") if name]
    else:
        hidden = (path for path in ROOT.iterdir() if path.name != ".git" and not path.name.startswith(".venv"))
        names = [path for top in hidden for path in (top.rglob("*") if top.is_dir() else [top])]
    return tuple(sorted(path for path in names if path.is_file() and "__pycache__" not in path.parts))


@functools.cache
def text_files() -> dict[str, str]:
    """Path from the root and contents of each tracked file that is text."""
    texts = {}
    for path in tracked_files():
        data = path.read_bytes()
        if path.suffix not in BINARY and b"\0" not in data:
            texts[path.relative_to(ROOT).as_posix()] = data.decode(errors="replace")
    return texts


def python_files(folder: str) -> Iterator[Module]:
    """The Python files under one folder of the project."""
    for path, text in text_files().items():
        if path.startswith(folder + "/") and path.endswith(".py"):
            yield module(dotted_name(path), path, text)


@functools.cache
def source_modules() -> tuple[Module, ...]:
    """Every module of the package."""
    return tuple(python_files("src"))


def dotted_name(path: str) -> str:
    """`src/icc_store/codec/__init__.py` is `icc_store.codec`."""
    return path.removeprefix("src/").removesuffix(".py").removesuffix("/__init__").replace("/", ".")
