"""icc-store through its console command, a new process for each operation as a person would."""

import shutil
import sys
from pathlib import Path

from benchmarks.measure import Command
from benchmarks.peers.protocol import Peer, Steps


def _console_command() -> str:
    """Return the command of the environment that runs the benchmark, else the one on PATH."""
    beside = Path(sys.executable).parent / "icc-store"
    return str(beside) if beside.exists() else shutil.which("icc-store") or "icc-store"


class IccStore(Peer):
    """Labels are snapshot names."""

    name = "icc-store"
    program = _console_command()

    def init(self) -> Steps:
        return [self._icc("init")]

    def snapshot(self, source: Path, label: str) -> Steps:
        return [self._icc("snapshot", source, "--source", "bench", "--name", label)]

    def restore(self, target: Path) -> Steps:
        return [self._icc("restore", "latest", "--target", target, "--yes")]

    def one_file(self, label: str, path: str, output: Path) -> Steps:
        return [self._icc("cat", label, path, stdout=output)]

    def verify(self) -> Steps:
        return [self._icc("verify")]

    def diff(self, older: str, newer: str) -> Steps:
        return [self._icc("diff", older, newer)]

    def diff_entities(self, older: str, newer: str, output: Path) -> Steps:
        return [self._icc("diff", older, newer, "--entities", "--json-lines", stdout=output)]

    def history(self, path: str, output: Path) -> Steps:
        return [self._icc("history", path, "--json-lines", stdout=output)]

    def blame(self, path: str, output: Path) -> Steps:
        return [self._icc("blame", path, "--lines", "--json-lines", stdout=output)]

    def search(self, text: str, output: Path) -> Steps:
        return [self._icc("search", text, "--json-lines", stdout=output)]

    def list(self) -> Steps:
        return [self._icc("list")]

    def prune(self, keep: int) -> Steps:
        return [self._icc("gc", "--keep-last", str(keep), "--now")]

    def optimize(self) -> Steps:
        return [self._icc("optimize", "--compact")]

    def _icc(self, *argv: str | Path, stdout: Path | None = None) -> Command:
        return self.command(self.program, "--repo", self.repository, *argv, stdout=stdout)
