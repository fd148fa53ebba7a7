"""The program as a user meets it: a process with arguments, a repository, two streams and an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Done:
    """What a run came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        """What `--json-lines` printed."""
        return [json.loads(line) for line in self.out.splitlines()]


class Program:
    """Runs `icc-store` on one repository."""

    def __init__(self, repository: Path, environ: Mapping[str, str] | None = None) -> None:
        self.repository = repository
        self.environ = dict(os.environ if environ is None else environ)
        self.environ["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line."""
        return [sys.executable, "-m", "icc_store", "--repo", str(self.repository), *map(str, arguments)]

    def __call__(self, *arguments: str | Path, **environ: str) -> Done:
        """Run it to its end, without a terminal."""
        return finish(self.command(*arguments), self.environ | environ)

    def good(self, *arguments: str | Path, **environ: str) -> Done:
        """The same, and it must succeed and say nothing on stderr."""
        done = self(*arguments, **environ)
        assert (done.code, done.err) == (0, ""), done
        return done


def finish(command: list[str], environ: Mapping[str, str]) -> Done:
    """Run a command to its end."""
    done = subprocess.run(command, env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return Done(done.returncode, done.stdout.decode(), done.stderr.decode())
