"""What stands below a directory, looked at with nothing but the operating system: for comparing trees."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from pathlib import Path
from typing import Any

Description = dict[str, dict[str, Any]]
"""Facts by path; bytes that are not UTF-8 as \\xNN. Everything in it can be JSON."""


def describe(top: Path, *, owners: bool = False) -> Description:
    """Type, mode, size, times, content, target, attributes and hard links of all below `top`, and of it itself."""
    found: Description = {}
    links: dict[tuple[int, int], list[str]] = {}
    root = os.fsencode(top)
    for directory, below, files in os.walk(root):
        for name in (b".", *below, *files) if directory == root else (*below, *files):
            path = os.path.join(directory, name)
            status = os.lstat(path)
            shown = os.path.relpath(path, root).decode("utf-8", "backslashreplace")
            found[shown] = _facts(path, status, owners=owners)
            if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
                links.setdefault((status.st_dev, status.st_ino), []).append(shown)
    for group in links.values():
        for shown in group:
            found[shown]["links"] = sorted(group)
    return dict(sorted(found.items()))


def _facts(path: bytes, status: os.stat_result, *, owners: bool) -> dict[str, Any]:
    facts: dict[str, Any] = {"mode": stat.filemode(status.st_mode), "mtime_ns": status.st_mtime_ns}
    if owners:
        facts |= {"uid": status.st_uid, "gid": status.st_gid}
    if stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            facts |= {"size": status.st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    elif stat.S_ISLNK(status.st_mode):
        facts["target"] = os.readlink(path).decode("utf-8", "backslashreplace")
    elif stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
        facts["device"] = [os.major(status.st_rdev), os.minor(status.st_rdev)]
    attributes = {
        name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)
    }
    if attributes:
        facts["xattrs"] = {name: base64.b64encode(value).decode() for name, value in sorted(attributes.items())}
    return facts
