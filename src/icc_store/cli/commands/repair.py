"""`icc-store repair`: the index and the lists made anew from the blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields
from icc_store.errors import DamageError
from icc_store.model.paths import display

if TYPE_CHECKING:
    from icc_store.operations.repair import RepairResult
    from icc_store.store.lmdb_rescue import Rescued

DOCUMENT = {
    "dry_run": "whether the repository was left as it is",
    "problems": "what was wrong with the database",
    "blocks": "blocks that were taken over",
    "damaged_blocks": "those among them of which nothing can be read",
    "from_parity": "numbers of blocks that were damaged or missing, and that parity brought back",
    "beyond_parity": "numbers of blocks that parity knows of and could not bring back",
    "indexed": "objects that snapshots need",
    "unreached": "objects in blocks that nothing needs any more; they do not come back",
    "snapshots": "snapshots that are listed now",
    "annotations": "tags, notes and the like that are listed now",
    "lost_snapshots": "ids of snapshots that were listed and of which nothing is left",
    "lost_annotations": "annotations that were listed and of which nothing is left",
    "findings": "what is still damaged, as `verify` would say it: what, and the first files (snapshot and path)",
    "kept": "where the damaged database is kept, or null",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store repair --dry-run   what would be lost, and what not",
        "icc-store repair             and do it",
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what repair would come to; leave the repository as it is.")
@click.pass_obj
def command(context: Context, *, dry_run: bool) -> None:
    """Make the index, the list of snapshots and the annotations anew from the blocks of a damaged repository.

    Where the repository has parity, damaged blocks are brought back from it first.
    Everything is made in a new database beside the old one, which takes room for all that is stored, and takes the old
    one's place at the end; the old one is kept until you delete it. What was removed before does not come back. What
    cannot be read is named; a later snapshot of the same files stores it again.
    """
    from icc_store.opening import open_for_repair
    from icc_store.operations.repair import rebuild

    monitor = context.monitor
    with open_for_repair(context.repository.path, monitor=monitor, clock=context.clock) as repairing:
        rescued = repairing.rescued
        result = rebuild(
            repairing.repository,
            rescued.listed_snapshots,
            rescued.listed_annotations,
            damaged=repairing.path,
            monitor=monitor,
            clock=context.clock,
        )
        kept = None if dry_run else repairing.take_place()
        has_parity = repairing.repository.header.has_parity
    if has_parity and not dry_run:
        from icc_store.operations.parity import renew

        with context.open() as repository:
            renew(repository, after_repair=True, monitor=monitor)
    monitor.finish()
    document = _document(rescued, result, kept)
    context.output.emit("repair", document | {"dry_run": dry_run}, lambda: _lines(rescued, result, kept), summary=False)
    if result.check.damaged or result.lost_snapshots or rescued.uncertain:
        raise DamageError(
            "not everything could be brought back; what is lost is listed",
            hint="the next snapshot stores again what is still on the disk; a copy of the repository may have the rest",
        )


def _document(rescued: Rescued, result: RepairResult, kept: Path | None) -> dict[str, Any]:
    names = ("blocks", "damaged_blocks", "indexed", "unreached", "snapshots", "annotations", "lost_annotations")
    return {name: getattr(result, name) for name in names} | {
        "problems": list(rescued.problems),
        "from_parity": list(result.parity.rebuilt),
        "beyond_parity": list(result.parity.lost),
        "lost_snapshots": [identity.hex() for identity in result.lost_snapshots],
        "findings": [
            {
                "what": finding.what,
                "files": [{"snapshot": file.snapshot.hex()} | path_fields(file.path) for file in finding.files],
            }
            for finding in result.check.findings
        ],
        "kept": None if kept is None else str(kept),
    }


def _lines(rescued: Rescued, result: RepairResult, kept: Path | None) -> Iterator[str]:
    would = "would be " if kept is None else ""
    for problem in rescued.problems:
        yield f"the database: {problem}"
    for name in result.parity.unreadable:
        yield f"too damaged to be of use: {name}"
    if result.parity.rebuilt:
        yield f"{units.plural(len(result.parity.rebuilt), 'damaged block')} {would}brought back from parity"
    if result.parity.lost:
        yield f"{units.plural(len(result.parity.lost), 'damaged block')} beyond what parity can bring back"
    for identity in result.lost_snapshots:
        yield f"lost: snapshot {identity.hex()[:12]}, of which nothing is left"
    for finding in result.check.findings:
        yield f"lost: {finding.what}"
        for file in finding.files:
            yield f"  {file.snapshot.hex()[:12]}  {display(file.path) or 'the whole snapshot'}"
        if finding.files_total > len(finding.files):
            yield f"  and {units.plural(finding.files_total - len(finding.files), 'file')} more"
    yield (
        f"{units.plural(result.snapshots, 'snapshot')} and {units.plural(result.annotations, 'annotation')} {would}"
        f"listed, {units.plural(result.indexed, 'object')} indexed, in {units.plural(result.blocks, 'block')}"
    )
    if result.unreached:
        yield f"{units.plural(result.unreached, 'object')} that nothing needs {would}left to gc"
    if kept is not None:
        yield f"the damaged database is kept as {kept}; delete it when all is well"
