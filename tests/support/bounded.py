"""Runs a process that may take so much memory and time of the processor, and is killed by the kernel beyond that.

What is bounded is memory that a process asks for to write to (RLIMIT_DATA), and not its address space: LMDB maps its
file into as much of that as it is given, and maps no more than the file has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.support.program import Done, Program

MEMORY = 400 << 20
SECONDS = 20

_LIMITED = """
import os, resource, sys
for what, most in ((resource.RLIMIT_DATA, int(sys.argv[1])), (resource.RLIMIT_CPU, int(sys.argv[2]))):
    resource.setrlimit(what, (most, most))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
os.execv(sys.argv[3], sys.argv[3:])
"""


def bounded(command: list[str], environ: Mapping[str, str], memory: int = MEMORY, seconds: int = SECONDS) -> Done:
    """Run a command within bounds. One that was killed by a signal has a negative exit code."""
    limited = [sys.executable, "-c", _LIMITED, str(memory), str(seconds), *command]
    done = subprocess.run(limited, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


class Bounded(Program):
    """The program within bounds."""

    def __call__(self, *arguments: str | Path, **environ: str) -> Done:
        return bounded(self.command(*arguments), self.environ | environ)


def python(source: str, *arguments: object) -> Done:
    """Run lines of Python within bounds; `ARGS` are the arguments."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    head = "import json, sys\nARGS = json.loads(sys.argv[1])\n"
    return bounded([sys.executable, "-c", head + source, json.dumps(arguments)], environ)


_MANY = """
import contextlib, io, json, os, sys
from icc_store.cli.main import run
done = []
for arguments in json.loads(sys.argv[1]):
    streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogateescape") for _ in range(2)]
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        code = run(arguments, os.environ)
    texts = []
    for stream in streams:
        stream.flush()
        texts.append(stream.buffer.getvalue().decode("utf-8", "backslashreplace"))
    done.append([code, *texts])
print(json.dumps(done))
"""


def one_after_another(program: Program, commands: list[list[str]]) -> list[Done]:
    """Run commands of the program in one bounded process, for tests of many that each take a moment."""
    whole = [["--repo", str(program.repository), *arguments] for arguments in commands]
    done = bounded([sys.executable, "-c", _MANY, json.dumps(whole)], program.environ)
    assert done.code == 0, (commands, done.code, done.err[-2000:])
    return [Done(*each) for each in json.loads(done.out.splitlines()[-1])]
