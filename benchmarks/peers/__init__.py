"""Backup programs behind one small interface, so that a scenario can put the same questions to each."""

from pathlib import Path

from benchmarks.peers.borg import Borg, BorgEncrypted
from benchmarks.peers.git import Git
from benchmarks.peers.icc_store import IccStore
from benchmarks.peers.protocol import Peer
from benchmarks.peers.restic import Restic
from benchmarks.peers.tar import TarGzip, TarZstd

PEERS: dict[str, type[Peer]] = {
    peer.name: peer for peer in (IccStore, Restic, Borg, BorgEncrypted, Git, TarZstd, TarGzip)
}
DEFAULT_PEERS = tuple(PEERS)
ANCHORS = ("borg-encrypted", "tar-zstd", "tar-gzip")
"""Programs that no target is stated against: one run of a scenario says enough of them."""

OURS = "icc-store"
REFERENCES = ("restic", "borg")
"""The programs that targets are stated against: the faster of these."""


def make_peer(name: str, home: Path) -> Peer:
    """Return the peer called `name`, keeping its repository and caches below `home`."""
    return PEERS[name](home)


__all__ = ["ANCHORS", "DEFAULT_PEERS", "OURS", "PEERS", "REFERENCES", "Peer", "make_peer"]
