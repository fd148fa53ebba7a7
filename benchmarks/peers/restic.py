"""restic with its default settings."""

import json
import subprocess
from pathlib import Path

from benchmarks.peers.protocol import Peer, Steps, first_line


class Restic(Peer):
    """Snapshots are found again by the tag that carries their label."""

    name = "restic"
    program = "restic"

    def version(self) -> str:
        return first_line([self.program, "version"])

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "RESTIC_REPOSITORY": str(self.repository),
            "RESTIC_PASSWORD": "benchmark",
            "RESTIC_CACHE_DIR": str(self.home / "cache" / "restic"),
        }

    def init(self) -> Steps:
        return [self.command("restic", "init", "--quiet")]

    def snapshot(self, source: Path, label: str) -> Steps:
        return [self.command("restic", "backup", "--quiet", "--tag", label, ".", cwd=source)]

    def restore(self, target: Path) -> Steps:
        return [self.command("restic", "restore", "latest", "--quiet", "--target", target)]

    def one_file(self, label: str, path: str, output: Path) -> Steps:
        return [self.command("restic", "dump", "--tag", label, "latest", f"/{path}", stdout=output)]

    def verify(self) -> Steps:
        return [self.command("restic", "check", "--quiet", "--read-data")]

    def diff(self, older: str, newer: str) -> Steps:
        return [self.command("restic", "diff", self._snapshot_id(older), self._snapshot_id(newer))]

    def list(self) -> Steps:
        return [self.command("restic", "snapshots")]

    def prune(self, keep: int) -> Steps:
        return [self.command("restic", "forget", "--quiet", "--keep-last", str(keep), "--prune")]

    def _snapshot_id(self, label: str) -> str:
        listing = subprocess.run(
            ["restic", "snapshots", "--json", "--tag", label],
            env=self.environment(),
            capture_output=True,
            check=True,
        )
        return str(json.loads(listing.stdout)[-1]["id"])
