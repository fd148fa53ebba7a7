"""What a snapshot leaves out: by the user's rules, by the profile's, and because it is a backup itself."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from icc_store.entities.layout import NEVER_IN_A_MEMORY
from icc_store.entities.profiles import GENERIC, PROFILES, Profile
from icc_store.fs.excludes import Excludes, stored_below
from icc_store.operations.memory.places import default_memory, has_memory_layout
from icc_store.operations.snapshot_options import SnapshotOptions

_SECRETS = {
    below.rpartition("/")[2].encode(): profile.never_store
    for profile in PROFILES
    if profile.never_store
    for _, below in profile.homes
}
"""Names of the directories in which known tools keep credentials, and those of the credentials: also below a home."""


def rules_for(
    repository: Path, paths: Sequence[Path], options: SnapshotOptions, profile: Profile, *, single: bool
) -> Excludes:
    """The rules of a snapshot of these paths. The user's patterns come last, so they can take back the profile's.

    Never part of a snapshot are the repository and a memory's own backups, nor what the profile says is secret, nor the
    credentials of known tools in their directories, but for who says that all of it is just a directory.
    """
    never: list[bytes] = []
    for path in paths:
        prefix = options.as_path
        if not single and len(paths) > 1:
            prefix = b"/".join(filter(None, (options.as_path, bytes(path).lstrip(b"/"))))
        left_out = [*stored_below(path, [repository]), *never_stored(path, options.home)]
        never += [b"/".join(filter(None, (prefix, below))) for below in left_out]
    return Excludes(
        (*profile.skip, *options.exclude),
        caches=options.exclude_caches,
        larger_than=options.exclude_larger_than,
        never=never,
        secrets=profile.never_store,
        secret_names=_SECRETS if options.profile != GENERIC.name else {},
        root_name=os.fsencode(paths[0].name) if single else b"",
    )


def never_stored(root: Path, home: Path | None) -> list[bytes]:
    """Stored paths below `root` that are never part of its backup: where a memory keeps backups and safety copies.

    That is said of the default memory and of a `root` with the same layout; elsewhere directories of these names are
    like any others, and leaving them out would lose them.
    """
    memories = [] if home is None else [default_memory(home)]
    if has_memory_layout(root):
        memories.append(root)
    return stored_below(root, [memory / os.fsdecode(name) for memory in memories for name in NEVER_IN_A_MEMORY])
