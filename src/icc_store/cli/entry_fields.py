"""A path of a snapshot as every command prints it: one line of text, or one object of JSON."""

from __future__ import annotations

import stat

from icc_store.cli.output import Document, path_fields
from icc_store.cli.units import local_time, size, utc_time
from icc_store.model.entry import FLAG_CHANGED_WHILE_READ, FLAG_SQLITE_COPY, Entry
from icc_store.model.paths import display
from icc_store.model.tree import Owners

ROW = {
    "path": "the stored path",
    "type": "file, directory, symlink, fifo, socket, char or block",
    "mode": "permission bits, four or more octal digits",
    "uid": "number of the owner",
    "gid": "number of the group",
    "size": "bytes, of a file",
    "mtime": "when it was changed last, UTC, RFC 3339",
    "content": "the id of its bytes: equal for equal contents; of an empty file null",
    "tree": "the id of what a directory holds",
    "target": "where a symlink points",
    "hard_link": "the first path of a group of hard links",
    "device": "major and minor number of a device node",
    "xattrs": "true where it has extended attributes",
    "changed_while_read": "true where the file changed while it was read",
    "sqlite_copy": "true where a live database was copied through SQLite",
}
"""The fields of a path in JSON; those that say nothing about it are left out."""

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "char",
    stat.S_IFBLK: "block",
}


def type_name(mode: int) -> str:
    """What a mode says something is."""
    return _TYPES.get(stat.S_IFMT(mode), "unknown")


def entry_fields(path: bytes, entry: Entry) -> Document:
    """The fields of `ROW` that say something about this path."""
    fields = path_fields(path) | {
        "type": type_name(entry.mode),
        "mode": f"{entry.permissions:04o}",
        "uid": entry.uid,
        "gid": entry.gid,
    }
    if entry.is_file:
        content = entry.chunk or entry.content_list
        fields |= {"size": entry.size, "content": content.hex() if content else None}
    fields["mtime"] = utc_time(entry.mtime_ns)
    if entry.subtree is not None:
        fields["tree"] = entry.subtree.hex()
    if entry.target is not None:
        fields |= path_fields(entry.target, "target")
    if entry.hard_link is not None:
        fields |= path_fields(entry.hard_link, "hard_link")
    if entry.device is not None:
        fields["device"] = list(entry.device)
    said = {
        "xattrs": entry.xattrs or entry.xattrs_id,
        "changed_while_read": entry.flags & FLAG_CHANGED_WHILE_READ,
        "sqlite_copy": entry.flags & FLAG_SQLITE_COPY,
    }
    return fields | {name: True for name, true in said.items() if true}


def shown_name(path: bytes, entry: Entry) -> str:
    """A path in a short list: directories end in a slash."""
    return display(path) + ("/" if entry.is_directory else "")


def long_line(path: bytes, entry: Entry, owners: Owners) -> str:
    """One line of `ls -l`. The columns are wide enough for nearly everything, so that lines come as they are read."""
    user = owners.users.get(entry.uid) or str(entry.uid)
    group = owners.groups.get(entry.gid) or str(entry.gid)
    length = size(entry.size) if entry.is_file else "-"
    if entry.device is not None:
        length = f"{entry.device[0]}, {entry.device[1]}"
    arrow = f" -> {display(entry.target)}" if entry.target is not None else ""
    when = local_time(entry.mtime_ns)[:16]
    return f"{stat.filemode(entry.mode)}  {user:8} {group:8}  {length:>9}  {when}  {display(path)}{arrow}"
