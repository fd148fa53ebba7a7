"""Whom restored files shall belong to."""

from __future__ import annotations

import grp
import pwd

from icc_store.model.tree import Owners


class LocalOwners:
    """Turns the owner numbers of a snapshot into those of this machine.

    A name says more than a number: where the snapshot knew a name for the number and this machine knows it too, the
    name decides. Root is root everywhere.
    """

    def __init__(self, *, numeric: bool = False) -> None:
        """With `numeric`, names do not count."""
        self._numeric = numeric
        self._names: Owners | None = None
        self._pairs: dict[tuple[int, int], tuple[int, int]] = {}
        self._users: dict[str, int | None] = {}
        self._groups: dict[str, int | None] = {}

    def local(self, uid: int, gid: int, names: Owners) -> tuple[int, int]:
        """The uid and gid here. `names` are those of the tree part that the numbers stand in.

        A directory service is asked once per name.
        """
        if self._numeric:
            return uid, gid
        if names is not self._names:  # another part may have other names for the same numbers
            self._names = names
            self._pairs = {}
        pair = (uid, gid)
        found = self._pairs.get(pair)
        if found is None:
            found = self._pairs[pair] = (self._local_user(uid, names), self._local_group(gid, names))
        return found

    def _local_user(self, uid: int, names: Owners) -> int:
        name = names.users.get(uid)
        if uid == 0 or name is None:
            return uid
        if name not in self._users:
            try:
                self._users[name] = pwd.getpwnam(name).pw_uid
            except KeyError:
                self._users[name] = None
        here = self._users[name]
        return uid if here is None else here

    def _local_group(self, gid: int, names: Owners) -> int:
        name = names.groups.get(gid)
        if gid == 0 or name is None:
            return gid
        if name not in self._groups:
            try:
                self._groups[name] = grp.getgrnam(name).gr_gid
            except KeyError:
                self._groups[name] = None
        here = self._groups[name]
        return gid if here is None else here
