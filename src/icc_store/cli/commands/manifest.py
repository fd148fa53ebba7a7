"""`icc-store manifest`: the manifest of a memory's snapshot."""

from __future__ import annotations

import click

from icc_store.cli.command import Command, snapshot_argument, source_option
from icc_store.cli.context import Context
from icc_store.cli.output import to_json
from icc_store.errors import NotFoundError, PartialResult
from icc_store.operations.memory.manifest import manifest_of, notes_of, rebuild_manifest
from icc_store.operations.resolve import resolve

DOCUMENT = {
    "manifest": "backup_id, created_at, backup_name, system_version, total_entities, entities_by_type, total_size_mb, "
    "compressed_size_mb, integrity_hash, backup_duration_ms, files_backed_up and validation_passed, as the memory "
    "system reads them, and icc_store with what else is known"
}


@click.command(
    cls=Command,
    examples=(
        "icc-store manifest latest",
        "icc-store manifest latest --json | jq -r .manifest.integrity_hash",
        "icc-store manifest 3f2a91c0 --rebuild   anew, from what is stored",
    ),
)
@snapshot_argument
@source_option
@click.option("--rebuild", is_flag=True, help="Compute it anew from what is stored, and keep it.")
@click.pass_obj
def command(context: Context, *, snapshot: str, source: str | None, rebuild: bool) -> None:
    """Print the manifest of SNAP, which is JSON.

    `integrity_hash` is the SHA-256 of SHA256SUMS over all files of the snapshot, in LC_ALL=C order of their paths: what
    `sha256sum SHA256SUMS` says of an export.
    """
    with context.open(readonly=not rebuild) as repository:
        found = resolve(repository, snapshot, source=source, monitor=context.monitor)
        if rebuild:
            rebuild_manifest(repository, found, monitor=context.monitor)
            found = repository.snapshot(found.id)
    context.monitor.finish()
    manifest = manifest_of(found)
    if manifest is None:
        reason = (notes_of(found) or {}).get("error")
        if reason is None:
            raise NotFoundError(f"snapshot {found.id.hex()[:12]} is of no memory, so it has no manifest")
        raise PartialResult(f"its manifest could not be made: {reason}", hint="--rebuild tries again")
    context.output.emit("manifest", {"manifest": manifest}, lambda: [to_json(manifest, indent=2)])
