"""BorgBackup, compression left at its default."""

from pathlib import Path

from benchmarks.peers.protocol import Peer, Steps

_CHANGED_WHILE_READ = frozenset((1,))


class Borg(Peer):
    """Without encryption. Labels are archive names."""

    name = "borg"
    program = "borg"
    encryption = "none"

    def environment(self) -> dict[str, str]:
        return super().environment() | {
            "BORG_REPO": str(self.repository),
            "BORG_BASE_DIR": str(self.home),
            "BORG_PASSPHRASE": "benchmark",
            "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes",
        }

    def init(self) -> Steps:
        return [self.command("borg", "init", "--encryption", self.encryption)]

    def snapshot(self, source: Path, label: str) -> Steps:
        self.labels.append(label)
        return [self.command("borg", "create", f"::{label}", ".", cwd=source, warnings=_CHANGED_WHILE_READ)]

    def restore(self, target: Path) -> Steps:
        return [self.command("borg", "extract", f"::{self.labels[-1]}", cwd=target)]

    def one_file(self, label: str, path: str, output: Path) -> Steps:
        return [self.command("borg", "extract", "--stdout", f"::{label}", path, stdout=output)]

    def verify(self) -> Steps:
        return [self.command("borg", "check", "--verify-data")]

    def diff(self, older: str, newer: str) -> Steps:
        return [self.command("borg", "diff", f"::{older}", newer)]

    def list(self) -> Steps:
        return [self.command("borg", "list")]

    def prune(self, keep: int) -> Steps:
        # By name, because `prune --keep-last` counts archives of the same second as one.
        forgotten = self.labels[:-keep]
        del self.labels[:-keep]
        if not forgotten:
            return ()
        return [self.command("borg", "delete", "::", *forgotten), self.command("borg", "compact")]


class BorgEncrypted(Borg):
    """With the key in the repository, as its manual begins."""

    name = "borg-encrypted"
    encryption = "repokey"
