"""What a snapshot leaves out: by the user's rules, by the profile's, and because it is a backup itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from icc_store.entities.profiles import Profile
from icc_store.fs.excludes import Excludes, stored_below
from icc_store.operations.memory.places import never_stored
from icc_store.operations.snapshot_options import SnapshotOptions


def rules_for(
    repository: Path, paths: Sequence[Path], options: SnapshotOptions, profile: Profile, *, single: bool
) -> Excludes:
    """The rules of a snapshot of these paths. The user's patterns come last, so they can take back the profile's.

    Never part of a snapshot are the repository and a memory's own backups, nor what the profile says is secret.
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
    )
