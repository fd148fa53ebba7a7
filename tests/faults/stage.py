"""A directory on which one run of the program after another is played, each from the same beginning.

The process that holds a stage has everything imported that the program needs, and has never opened a repository. So a
run is a fork of it, which costs a tenth of a new process, and opens LMDB for itself.
"""

from __future__ import annotations

import importlib
import os
import pickle
import pkgutil
import re
import shutil
import signal
import stat
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import icc_store
from icc_store.cli.main import main, run
from tests.faults.by_strace import Tracer
from tests.faults.shim import NOTHING, Fault, Report, is_loaded
from tests.support.live import Contents, on_disk

_LASTS_NOT = frozenset(("lock.mdb", "use.lock", "write.lock", "due.lock", "out"))
"""Files whose contents mean nothing when no process is left."""

PATIENCE = 60
"""Seconds after which a run counts as hanging."""


@dataclass(frozen=True)
class Ran:
    """What became of a run: its exit code, or minus the signal that ended it, and the calls that were counted."""

    code: int
    out: str
    err: str
    calls: list[tuple[str, str]]


class Stage:
    """`top` holds all that a run touches; `plain` holds copies of what the snapshots were taken of."""

    def __init__(self, scratch: Path, repository: str = "store") -> None:
        self.top = scratch / "top"
        self.plain = scratch / "plain"
        self.repository = self.top / repository
        self.home = self.top / "home"
        self.snapshots: dict[str, Contents] = {}
        """What each snapshot holds that was committed before the run, by name, oldest first."""
        self._fixture = scratch / "fixture"
        self._scratch = scratch
        self._report = Report()
        self._tracer = Tracer(self.top)
        for folder in (self.home, self.plain):
            folder.mkdir(parents=True)

    def begin(self) -> None:
        """From now on `reset` comes back to what is there now."""
        shutil.copytree(self.top, self._fixture, symlinks=True)

    def reset(self) -> None:
        """Everything as it was at the beginning."""
        shutil.rmtree(self.top)
        shutil.copytree(self._fixture, self.top, symlinks=True)

    @property
    def untouched(self) -> bool:
        """Whether nothing is different from the beginning but locks, reports and what was printed."""
        return _contents(self.top) == _contents(self._fixture)

    def good(self, *arguments: str | Path) -> Ran:
        """Run the program without a fault; it must succeed."""
        ran = self.run(*arguments)
        assert ran.code == 0, (arguments, ran.code, ran.err)
        return ran

    def snapshot(self, source: Path, name: str) -> None:
        """Take a snapshot that has to survive, and copy what it is of."""
        self.good("snapshot", source, "--name", name)
        self.remember(source, name)

    def remember(self, source: Path, name: str) -> None:
        """Copy what the snapshot of this name was taken of."""
        shutil.copytree(source, self.plain / name, symlinks=True, ignore=shutil.ignore_patterns("backups"))
        shutil.copystat(source, self.plain / name)
        self.snapshots[name] = on_disk(self.plain / name)

    def run(self, *arguments: str | Path, fault: Fault = NOTHING, at: int = 0) -> Ran:
        """Run the program on the stage's repository in a child of its own, to its end."""
        out, err, trace = self.top / "out", self._scratch / "err", self._scratch / "trace"
        command = ["--repo", str(self.repository), *map(str, arguments)]
        traced = not is_loaded() and fault is not NOTHING
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                self._become(out, err)
                if traced:
                    os.execvp("strace", self._tracer.wrap(command, fault, at, trace))
                if is_loaded():
                    self._report.arm(fault, at, [self.top, Path("/proc")])
                main(command)
            os._exit(99)  # not reached: `main` exits by itself
        _, status = os.waitpid(child, 0)
        calls = self._tracer.calls(fault, trace) if traced else self._report.calls
        return Ran(os.waitstatus_to_exitcode(status), _text(out), _text(err), calls)

    def isolated(self, function: Callable[[], Any]) -> Any:
        """What a function gives in a child of its own. Raises AssertionError with its traceback when it raises."""
        result = self._scratch / "result"
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)
            try:
                answer: tuple[bool, Any] = True, function()
            except BaseException:  # noqa: BLE001 - whatever it is, the parent is to see it
                answer = False, traceback.format_exc()
            result.write_bytes(pickle.dumps(answer))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        assert code == 0, f"what looks at the result was ended by {code}"
        good, value = pickle.loads(result.read_bytes())
        assert good, value
        return value

    def rehearse(self, *arguments: str | Path) -> None:
        """Run the program once, and import and compile here whatever that takes, so that no other run has to."""

        def work() -> tuple[list[str], list[tuple[Any, int]]]:
            self._become(self.top / "out", self._scratch / "err")
            run(["--repo", str(self.repository), *map(str, arguments)], os.environ)
            return list(sys.modules), _known_patterns()

        modules, patterns = self.isolated(work)
        for name in modules:
            with suppress(ImportError):
                importlib.import_module(name)
        for pattern, flags in patterns:
            re.compile(pattern, flags)

    def _become(self, out: Path, err: Path) -> None:
        signal.alarm(PATIENCE)
        os.chdir(self.top)
        for name in list(os.environ):
            if name.startswith(("ICC_STORE_", "XDG_", "CLAUDE_")):
                del os.environ[name]
        os.environ["HOME"] = str(self.home)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        for number, path in ((1, out), (2, err)):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(descriptor, number)
            os.close(descriptor)


def _known_patterns() -> list[tuple[Any, int]]:
    """What `re` has compiled and keeps, as arguments for compiling it again."""
    return [key[1:3] for key in getattr(re, "_cache", ())]


def _contents(top: Path) -> dict[str, tuple[int, bytes]]:
    found = {}
    for path in top.rglob("*"):
        name, status = str(path.relative_to(top)), path.lstat()
        if path.name in _LASTS_NOT or name.startswith("home/"):
            continue
        data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
        found[name] = (status.st_mode, data)
    return found


def warm_up() -> None:
    """Import the whole program, so that no run has to. What cannot be imported fails the runs that need it."""
    for module in pkgutil.walk_packages(icc_store.__path__, "icc_store."):
        if not module.name.endswith("__main__"):
            with suppress(ImportError):
                importlib.import_module(module.name)


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace") if path.exists() else ""
