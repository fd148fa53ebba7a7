"""git as a backup program: everything added and committed, also what is unchanged."""

import itertools
from dataclasses import replace
from pathlib import Path

from benchmarks.compare import Fidelity
from benchmarks.measure import Command
from benchmarks.peers.protocol import Peer, Steps

_SETTINGS = {
    "gc.auto": "0",
    "core.autocrlf": "false",
    "core.excludesFile": "/dev/null",
    "commit.gpgSign": "false",
}
_ENTITIES = ("entities", ":(exclude,glob)**/index.json")
"""Where the entities of a memory are, as git wants it said."""


class Git(Peer):
    """Labels are found by counting commits back from the newest."""

    name = "git"
    program = "git"
    fidelity = Fidelity.CONTENT

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self._restores = itertools.count(1)

    def environment(self) -> dict[str, str]:
        person = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Benchmark"), ("EMAIL", "benchmark@localhost"))
        }
        isolation = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
        return super().environment() | person | isolation

    def init(self) -> Steps:
        # Attributes and ignore files in the data must not change what is stored.
        keep_bytes = "mkdir -p info && echo '* -text -filter -ident -working-tree-encoding' > info/attributes"
        return [
            self.command("git", "init", "--quiet", "--bare", self.repository),
            *(self._git("config", key, value) for key, value in _SETTINGS.items()),
            self.command("sh", "-c", keep_bytes, cwd=self.repository),
        ]

    def snapshot(self, source: Path, label: str) -> Steps:
        self.labels.append(label)
        return [
            self._in_tree(source, "add", "--all", "--force", "."),
            self._in_tree(source, "commit", "--quiet", "--allow-empty", "--message", label),
        ]

    def restore(self, target: Path) -> Steps:
        # An index of its own: the one used for adding must keep what it knows about the source.
        index = self.home / f"restore-index-{next(self._restores)}"
        checkout = self._in_tree(target, "checkout", "--quiet", "--force", "HEAD", "--", ".")
        return [replace(checkout, env={**checkout.env, "GIT_INDEX_FILE": str(index)})]

    def one_file(self, label: str, path: str, output: Path) -> Steps:
        revision = self._revision(label)
        return [self.command("git", "--git-dir", self.repository, "show", f"{revision}:{path}", stdout=output)]

    def verify(self) -> Steps:
        return [self._git("fsck", "--full")]

    def diff(self, older: str, newer: str) -> Steps:
        return [self._git("diff", "--name-status", self._revision(older), self._revision(newer))]

    def diff_entities(self, older: str, newer: str, output: Path) -> Steps:
        revisions = self._revision(older), self._revision(newer)
        return [self._git("diff", "--no-renames", *revisions, "--", *_ENTITIES, stdout=output)]

    def history(self, path: str, output: Path) -> Steps:
        return [self._git("log", "--patch", "--follow", "--format=%x01%s", "--", path, stdout=output)]

    def blame(self, path: str, output: Path) -> Steps:
        return [self._git("blame", "--line-porcelain", "HEAD", "--", path, stdout=output)]

    def search(self, text: str, output: Path) -> Steps:
        grep = 'git grep -l -i -F -e "$1" $(git rev-list HEAD) -- "$2" "$3"'
        return [self.command("sh", "-c", grep, "sh", text, *_ENTITIES, cwd=self.repository, stdout=output)]

    def list(self) -> Steps:
        return [self._git("log", "--oneline")]

    def prune(self, keep: int) -> Steps:
        cut = f"git rev-parse HEAD~{keep - 1} > shallow"
        del self.labels[:-keep]
        return [
            self.command("sh", "-c", cut, cwd=self.repository),
            self._git("reflog", "expire", "--expire=now", "--all"),
            self._git("gc", "--quiet", "--prune=now"),
        ]

    def optimize(self) -> Steps:
        return [self._git("gc", "--quiet", "--aggressive", "--prune=now")]

    def _revision(self, label: str) -> str:
        return f"HEAD~{len(self.labels) - 1 - self.labels.index(label)}"

    def _git(self, *argv: str, stdout: Path | None = None) -> Command:
        return self.command("git", "--git-dir", self.repository, *argv, stdout=stdout)

    def _in_tree(self, tree: Path, *argv: str) -> Command:
        return self.command("git", "--git-dir", self.repository, "--work-tree", tree, *argv, cwd=tree)
