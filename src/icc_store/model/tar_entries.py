"""Entries of a snapshot as members of a tar archive, and back."""

from __future__ import annotations

import stat

from icc_store.codec.posix_acl import ACCESS, DEFAULT, Lookup, acl_from_text, acl_text, permissions_with
from icc_store.codec.tar_header import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, LINK, REGULAR, SYMLINK
from icc_store.codec.tar_member import ACCESS_ACL, DEFAULT_ACL, Extents, Member
from icc_store.model.entry import Entry
from icc_store.model.tar_comment import Remarks, pack_remarks
from icc_store.model.walk import Found

_TYPES = {
    stat.S_IFREG: REGULAR,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHARACTER,
    stat.S_IFBLK: BLOCK_DEVICE,
    stat.S_IFDIR: DIRECTORY,
    stat.S_IFIFO: FIFO,
}
_MODES = {typeflag: mode for mode, typeflag in _TYPES.items()}
_ACLS = ((ACCESS, ACCESS_ACL), (DEFAULT, DEFAULT_ACL))
_LEAST_ACL = 4 + 3 * 8
"""Bytes of an access list that says no more than the mode does."""


def member_of(
    found: Found, attributes: dict[bytes, bytes], remarks: Remarks, *, extents: Extents | None = None
) -> Member | None:
    """The member that stands for what was found, or None for what tar has no type for."""
    entry, owners = found.entry, found.owners
    typeflag = _TYPES.get(stat.S_IFMT(entry.mode))
    if typeflag is None:
        return None
    member = Member(
        found.path or b".",
        typeflag,
        entry.permissions,
        entry.uid,
        entry.gid,
        owners.users.get(entry.uid, "").encode("utf-8", "surrogateescape"),
        owners.groups.get(entry.gid, "").encode("utf-8", "surrogateescape"),
        entry.size if typeflag == REGULAR else 0,
        entry.mtime_ns,
        entry.target or b"",
        entry.device or (0, 0),
        attributes,
        extents,
    )
    for name, key in _ACLS:  # GNU tar and libarchive set ACLs from text only
        text = acl_text(attributes[name]) if name in attributes else None
        if text is not None:
            member.records[key] = text
    comment = pack_remarks(remarks)
    if comment:
        member.records[b"comment"] = comment
    return member


def link_of(found: Found, to: bytes) -> Member | None:
    """The member that makes what was found another name of the member at `to`."""
    member = member_of(found, {}, Remarks())
    if member is not None:
        member.typeflag, member.linkname, member.size = LINK, to, 0
    return member


def entry_of(member: Member, name: bytes) -> Entry:
    """The entry of that name for a member that is no link; without content, subtree and extended attributes.

    Raises ValueError.
    """
    entry = Entry(name, _MODES[member.typeflag] | member.mode, member.uid, member.gid, 0, member.mtime_ns)
    if member.typeflag == SYMLINK:
        if not member.linkname or b"\x00" in member.linkname:
            raise ValueError("a symbolic link points to nothing")
        entry.target = member.linkname
        entry.mode = stat.S_IFLNK | (member.mode or 0o777)  # some archives say 0, Linux always 777
    elif member.typeflag in {CHARACTER, BLOCK_DEVICE}:
        entry.device = member.device
    return entry


def add_acls(member: Member, entry: Entry, user: Lookup, group: Lookup) -> dict[bytes, bytes]:
    """The extended attributes of a member, ACLs given as text among them, sorted by name.

    `user` and `group` find the numbers of names. An access list may change the entry's mode. Raises ValueError for an
    ACL that cannot be taken.
    """
    attributes = dict(member.xattrs)
    for name, key in _ACLS:
        text = member.records.get(key)
        if text and name not in attributes:
            acl = acl_from_text(text, user, group)
            if name == DEFAULT:
                attributes[name] = acl
            elif len(acl) > _LEAST_ACL:
                attributes[name] = acl
                entry.mode = permissions_with(entry.mode, acl)
    return dict(sorted(attributes.items()))
