"""The same faults by strace, for machines that have it and no C compiler. Each run is a new process, so it is slow.

strace strikes the k-th call of one name, whatever it is about. So a run is listed first: the n-th call below the
stage's directory is the k-th of its name.
"""

from __future__ import annotations

import errno
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.faults.shim import Action, Fault, Kinds

_GROWS = (
    "write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync,syncfs,rename,renameat,renameat2,link,linkat,symlink,"
    "symlinkat,mkdir,mkdirat"
)
_OF_KIND = {
    Kinds.CHANGES: _GROWS + ",unlink,unlinkat,rmdir,chmod,fchmod,fchown,utimensat,setxattr,lsetxattr,fsetxattr",
    Kinds.SPACE: _GROWS,
    Kinds.MEDIUM: _GROWS + ",read,pread64,getdents64",
    Kinds.DESCRIPTOR: "open,openat",
    Kinds.PERMISSION: "open,openat,unlink,unlinkat,rename,renameat,mkdir,mkdirat",
}
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)")


def available() -> bool:
    """Whether strace is here, and may trace."""
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-qq", "-e", "trace=none", "true"], capture_output=True, check=False).returncode == 0


class Tracer:
    """Lists the calls of the program below a directory, and strikes one of them."""

    def __init__(self, top: Path) -> None:
        self._top = top
        self._listed: dict[str, list[tuple[str, str, int]]] = {}
        """For each kind of fault: name, arguments, and the how many of its name and thread."""

    def wrap(self, program: Sequence[str], fault: Fault, at: int, trace: Path) -> list[str]:
        """The command line that runs the program and lists its calls in `trace`, or strikes call number `at`."""
        options = ["-f", "-qq", "-y", "-s", "0", "-o", str(trace), "-e", "trace=" + _OF_KIND[fault.kinds]]
        for name, _, number in (
            self._listed.get(fault.name, [])[at - 1 : at] if fault.action is not Action.COUNT else []
        ):
            what = "signal=SIGKILL" if fault.action is Action.DIE else f"error={errno.errorcode[fault.error]}"
            more = "+" if fault.action is Action.FAIL_FROM else ""
            options += ["-e", f"inject={name}:{what}:when={number}{more}"]
        return ["strace", *options, sys.executable, "-m", "icc_store", *program]

    def calls(self, fault: Fault, trace: Path) -> list[tuple[str, str]]:
        """Those of the last run that was listed. Call it after each run."""
        if fault.action is Action.COUNT:
            self._listed[fault.name] = list(self._below(trace))
        return [(name, path) for name, path, _ in self._listed.get(fault.name, [])]

    def _below(self, trace: Path) -> list[tuple[str, str, int]]:
        seen: Counter[tuple[str, str]] = Counter()
        found = []
        for match in map(_LINE.match, trace.read_text("utf-8", "replace").splitlines()):
            if match is None:
                continue
            thread, name, rest = match.groups()
            seen[thread, name] += 1
            if str(self._top) in rest:
                path = str(self._top) + re.split(r'[>"]', rest.split(str(self._top), 1)[1], maxsplit=1)[0]
                found.append((name, path, seen[thread, name]))
        return found
