"""A directory with everything a file system holds, and a picture of one that is taken without any code of ours."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

MTIME = 1_700_000_000_123_456_789
ROOT = os.geteuid() == 0
SECOND = 10**9


def make_rich_tree(top: Path) -> Path:
    """Make it; as root with owners and devices too. Attributes and ACLs as far as the file system takes them."""
    top.mkdir(parents=True)
    here = os.fsencode(top)
    for name in (b"d", b"d/deep", b"empty directory"):
        os.mkdir(here + b"/" + name)
    _write(here + b"/plain.txt", b"hello\n")
    _write(here + b"/empty", b"")
    _write(here + b"/d/two names", os.urandom(3_000_000))
    os.link(here + b"/d/two names", here + b"/a second name")
    os.link(here + b"/d/two names", here + b"/z third name")
    _write(here + b"/d/pair 1", b"pair")
    os.link(here + b"/d/pair 1", here + b"/d/deep/pair 2")
    os.symlink(b"nowhere", here + b"/dangling")
    os.symlink(b"d/deep", here + b"/to a directory")
    os.symlink(b"t" * 300, here + b"/far")
    os.symlink(b"\xff\xfe", here + b"/d/to bytes")
    os.mkfifo(here + b"/fifo", 0o640)
    _write(here + b"/bytes\xff\xfe", b"not UTF-8")
    _write(here + b"/" + b"\xfe" * 250, b"long, and not UTF-8")
    _write(here + "/d/\u00e9\u4e2d".encode(), b"UTF-8")
    _write(here + b"/new\nline", b"n")
    _write(here + b"/setuid", b"s", mode=0o6755)
    _write(here + b"/before 1970", b"old", mtime_ns=-1_250_000_000)
    _write(here + b"/after 2242", b"late", mtime_ns=(1 << 33) * SECOND + 7)
    _write(here + b"/whole second", b"w", mtime_ns=1_600_000_000 * SECOND)
    _sparse(here + b"/holes in the middle", 9_000_000, {0: b"begin", 4_000_000: b"middle" * 1000, 8_999_997: b"end"})
    _sparse(here + b"/hole at the end", 1_000_000, {0: b"begin"})
    _sparse(here + b"/all hole", 5_000_000_000, {})
    long = here + b"/" + b"l" * 255
    os.mkdir(long)
    _write(long + b"/" + b"m" * 255, b"a path of 511 bytes")
    if ROOT:
        os.mknod(here + b"/character", 0o020620, os.makedev(5, 7))
        os.mknod(here + b"/block", 0o060600, os.makedev(300, 70_000))
        os.chown(here + b"/plain.txt", 1234, 4321)
        os.chown(here + b"/d", 3_000_000_000, 2_500_000)
    _attributes(here)
    for directory, _, _ in os.walk(here, topdown=False):
        os.utime(directory, ns=(MTIME, MTIME + len(directory)))
    return top


def picture(top: Path) -> dict[bytes, dict[str, Any]]:
    """What stands at each path below `top`, and at `top` itself: all but inode numbers and times of change."""
    found: dict[bytes, dict[str, Any]] = {}
    names: dict[tuple[int, int], bytes] = {}
    here = os.fsencode(top)
    paths = [here]
    for directory, below, files in os.walk(here):
        paths += [os.path.join(directory, name) for name in (*below, *files)]
    for path in sorted(paths):
        status = os.lstat(path)
        stored = os.path.relpath(path, here)
        entry: dict[str, Any] = {
            "mode": oct(status.st_mode),
            "owner": (status.st_uid, status.st_gid),
            "mtime": status.st_mtime_ns,
            "xattrs": _xattrs(path),
        }
        if os.path.islink(path):
            entry["target"] = os.readlink(path)
        elif os.path.isfile(path):
            entry["size"] = status.st_size
            entry["content"] = _digest(path)
            entry["holes"] = status.st_blocks * 512 < status.st_size
        elif not os.path.isdir(path):
            entry["device"] = status.st_rdev
        if not os.path.isdir(path) or os.path.islink(path):
            entry["same file as"] = names.setdefault((status.st_dev, status.st_ino), stored)
        found[stored] = entry
    return found


def differences(one: dict[bytes, dict[str, Any]], two: dict[bytes, dict[str, Any]]) -> list[str]:
    """Every field of every path that is not the same in both."""
    out = [f"only on one side: {path!r}" for path in sorted(one.keys() ^ two.keys())]
    for path in sorted(one.keys() & two.keys()):
        for name in sorted(one[path].keys() | two[path].keys()):
            left, right = one[path].get(name), two[path].get(name)
            if left != right:
                out.append(f"{path!r}: {name}: {left!r} and {right!r}")
    return out


def _write(path: bytes, data: bytes, *, mode: int = 0o644, mtime_ns: int = MTIME) -> None:
    with open(path, "wb") as file:
        file.write(data)
    os.chmod(path, mode)
    os.utime(path, ns=(mtime_ns, mtime_ns))


def _sparse(path: bytes, size: int, pieces: dict[int, bytes]) -> None:
    with open(path, "wb") as file:
        for offset, data in pieces.items():
            file.seek(offset)
            file.write(data)
        file.truncate(size)
    os.utime(path, ns=(MTIME, MTIME))


def _attributes(here: bytes) -> None:
    try:
        os.setxattr(here + b"/plain.txt", "user.note", b"\x00binary\xff\n")
        os.setxattr(here + b"/plain.txt", "user.empty", b"")
        os.setxattr(here + b"/d", "user.large", bytes(range(256)) * 4)
    except OSError:  # a file system without attributes
        return
    if shutil.which("setfacl"):
        for arguments in (["-m", "u:1234:rw-,g:77:r--"], ["-d", "-m", "g:77:rwx"]):
            target = here + (b"/d" if "-d" in arguments else b"/plain.txt")
            subprocess.run(["setfacl", *arguments, os.fsdecode(target)], check=True)
        os.utime(here + b"/plain.txt", ns=(MTIME, MTIME))


def _xattrs(path: bytes) -> dict[str, bytes]:
    try:
        return {
            name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
        }
    except OSError:
        return {}


def _digest(path: bytes) -> str:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size > 1 << 30:  # only holes are so large here
            return f"{size} bytes, the last is {os.pread(file.fileno(), 1, size - 1)!r}"
        return hashlib.file_digest(file, "sha256").hexdigest()
