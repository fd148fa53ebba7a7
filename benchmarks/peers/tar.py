"""One compressed tar archive per snapshot: no deduplication, so the anchor for speed and for growth."""

import shutil
from dataclasses import replace
from pathlib import Path

from benchmarks.measure import Command
from benchmarks.peers.protocol import Peer, Steps

_CHANGED_WHILE_READ = frozenset((1,))


class _Tar(Peer):
    program = "tar"
    compressor: tuple[str, ...]
    suffix: str

    def missing(self) -> bool:
        return super().missing() or shutil.which(self.compressor[0]) is None

    def init(self) -> Steps:
        return [self.command("mkdir", "-p", self.repository)]

    def snapshot(self, source: Path, label: str) -> Steps:
        self.labels.append(label)
        create = self._tar("--create", "--format=posix", "--file", self._archive(label), ".", cwd=source)
        return [replace(create, warnings=_CHANGED_WHILE_READ)]

    def restore(self, target: Path) -> Steps:
        archive = self._archive(self.labels[-1])
        return [self._tar("--extract", "--preserve-permissions", "--file", archive, cwd=target)]

    def one_file(self, label: str, path: str, output: Path) -> Steps:
        return [self._tar("--extract", "--to-stdout", "--file", self._archive(label), f"./{path}", stdout=output)]

    def verify(self) -> Steps:
        return [self.command(self.compressor[0], "-q", "-t", *map(self._archive, self.labels))]

    def prune(self, keep: int) -> Steps:
        forgotten = self.labels[:-keep]
        del self.labels[:-keep]
        return [self.command("rm", "-f", *map(self._archive, forgotten))]

    def _archive(self, label: str) -> Path:
        return self.repository / f"{label}.tar.{self.suffix}"

    def _tar(self, *argv: str | Path, cwd: Path | None = None, stdout: Path | None = None) -> Command:
        return self.command("tar", f"--use-compress-program={' '.join(self.compressor)}", *argv, cwd=cwd, stdout=stdout)


class TarZstd(_Tar):
    """`tar | zstd -3`, one compression thread."""

    name = "tar-zstd"
    compressor = ("zstd", "-q", "-3")
    suffix = "zst"

    def version(self) -> str:
        return f"{super().version()}, zstd level 3"


class TarGzip(_Tar):
    """`tar | gzip -6`."""

    name = "tar-gzip"
    compressor = ("gzip", "-6")
    suffix = "gz"
