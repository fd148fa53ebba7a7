"""What kind of file system a path is on, and what time it is there."""

from __future__ import annotations

import os
from pathlib import Path

from icc_store.errors import SourceError

_NETWORK = frozenset(
    (
        "9p",
        "acfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "panfs",
        "prl_fs",
        "pvfs2",
        "smb3",
        "smbfs",
        "vboxsf",
    )
)
"""Kernel file systems that other machines write to behind our back. The folders that virtual machines share with
their host are among them: shared memory maps and locks do not reach across."""

_NETWORK_FUSE = frozenset(
    (
        "beegfs",
        "ceph",
        "ceph-fuse",
        "curlftpfs",
        "davfs",
        "davfs2",
        "gcsfuse",
        "glusterfs",
        "goofys",
        "grpcfuse",
        "hdfs",
        "juicefs",
        "mfs",
        "moosefs",
        "osxfs",
        "rclone",
        "s3fs",
        "seaweedfs",
        "smbnetfs",
        "sshfs",
        "vmhgfs-fuse",
    )
)
"""The same for programs behind FUSE; the kernel lists them as `fuse.NAME`."""


def is_network(path: Path) -> str | None:
    """The type of the network file system that holds `path`, or will hold it once it is made; None for a local one."""
    kind = file_system_type(path)
    if kind in _NETWORK or kind.removeprefix("fuse.") in _NETWORK_FUSE:
        return kind
    return None


def file_system_type(path: Path) -> str:
    """The type of the file system under `path`, or under its nearest parent that exists; empty where unknown.

    The kernel says which mount a descriptor belongs to, which no comparison of path prefixes can get wrong.
    """
    descriptor = _open_nearest(path)
    try:
        mount = _field(Path(f"/proc/self/fdinfo/{descriptor}"), "mnt_id:")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        fields = line.split()
        # The optional fields in the middle end with a lone "-"; the type follows.
        if fields[0] == mount:
            return fields[fields.index(b"-", 6) + 1].decode("ascii", "replace")
    return ""


def clock_of(directory: Path) -> int:
    """The time of the directory's file system, in ns since 1970: that of a file just made there.

    Raises OSError when nothing can be made there.
    """
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    except OSError:  # not every file system has nameless files
        name = directory / f".icc-clock-{os.getpid()}-{os.urandom(4).hex()}"
        descriptor = os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        os.unlink(name)
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)


def _open_nearest(path: Path) -> int:
    path = path.absolute()
    for candidate in (path, *path.parents):
        try:
            return os.open(candidate, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            continue
    raise SourceError(f"{path} has no parent that exists")


def _field(file: Path, key: str) -> bytes:
    for line in file.read_bytes().splitlines():
        if line.startswith(key.encode()):
            return line.split()[1]
    return b""
