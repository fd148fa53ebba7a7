"""Does the shim see every call that changes the disk? The kernel's own view, by strace, is compared with its list."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.shim import build
from tests.faults.sweep import ROOT

CHANGES = (
    "write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,ftruncate,truncate,fallocate,fsync,"
    "fdatasync,msync,syncfs,sync_file_range,rename,renameat,renameat2,link,linkat,symlink,symlinkat,mkdir,"
    "mkdirat,mknod,mknodat,unlink,unlinkat,rmdir,chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,utimensat,"
    "setxattr,lsetxattr,fsetxattr,removexattr,lremovexattr,fremovexattr,io_uring_enter"
)
FORKS = "clone,clone3,fork,vfork"
SAME = {
    "pwritev64v2": "pwritev2",
    "pwrite": "pwrite64",
    "futimens": "utimensat",
    "mkfifo": "mknod",
    "mkfifoat": "mknodat",
}
"""Functions of libc whose system call has another name."""

LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["snapshot of a memory, cleaning up", "gc --compact", "restore of a memory"])
def test_the_shim_sees_what_the_kernel_sees(tmp_path: Path, operation: str) -> None:
    """Call for call: what is written, synced, renamed, made, removed and changed, by Python and by liblmdb."""
    strace = shutil.which("strace")
    library = build()
    if strace is None or library is None:
        pytest.skip("needs strace and a C compiler")
    trace = tmp_path / "trace"
    options = ["-f", "-qq", "-y", "-s", "0", "-o", str(trace), "-e", f"trace={CHANGES},{FORKS}"]
    tasks = json.dumps([[operation, "killed", 0, None]])
    command = [strace, *options, "-E", f"LD_PRELOAD={library}", sys.executable, "-m", "tests.faults.worker"]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [*command, str(tmp_path / "s"), tasks],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr:
        pytest.skip("this machine does not allow tracing")
    assert done.returncode == 0, done.stderr
    listed = Counter(json.loads(done.stdout)["calls"])
    by_shim: Counter[str] = Counter()
    for name, count in listed.items():
        by_shim[_system_call(name)] += count
    by_kernel = last_run(trace, tmp_path / "s" / operation.replace(" ", "-") / "top")
    by_shim.pop("open", None)
    assert by_shim == by_kernel
    assert by_kernel["fdatasync"]
    assert by_kernel["pwrite64"]


def _system_call(name: str) -> str:
    """The system call behind a function of libc; every way to open is "open", which strace is not asked about."""
    if name.startswith("open"):
        return "open"
    return SAME.get(name, name if name == "pwrite64" else name.removesuffix("64"))


def last_run(trace: Path, top: Path) -> Counter[str]:
    """The changing calls below `top` of the process that was forked last, with its threads."""
    rows = [match.groups() for match in map(LINE.match, trace.read_text().splitlines()) if match]
    main = rows[0][0]
    fork = max(at for at, (pid, call, _) in enumerate(rows) if pid == main and call in FORKS.split(","))
    ours = [(call, rest) for pid, call, rest in rows[fork:] if pid != main and call not in FORKS.split(",")]
    return Counter(call for call, rest in ours if str(top) in rest)
