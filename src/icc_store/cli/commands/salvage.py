"""`icc-store salvage`: a new repository from what is left in the bytes of a damaged one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import path_fields
from icc_store.errors import PartialResult
from icc_store.model.paths import display
from icc_store.operations.resolve import SHORT_ID

if TYPE_CHECKING:
    from icc_store.operations.salvage import SalvageResult

DOCUMENT = {
    "path": "the directory of the new repository",
    "repository": "id of the repository that was searched for",
    "blocks": "whole blocks in the file, those that were removed before among them",
    "damaged_blocks": "blocks that the database leads to and that are not whole",
    "snapshots": "snapshots in the new repository, forgotten ones among them",
    "annotations": "tags, notes and the like",
    "removed_snapshots": "records of snapshots that were removed before, and stay so",
    "incomplete": "snapshots of which something is lost: id, name, time and files (path, directory: not all in it is "
    "there)",
    "lost_snapshots": "ids of snapshots that were listed and of whose records nothing is left",
    "lost_annotations": "annotations that were listed and of which nothing is left",
    "lost_commits": "commits that `head` knows of and the database does not",
    "list_is_whole": "whether the list of snapshots could be read; else nobody can say that there were no others",
    "orphans": "what no snapshot needs: objects, size (plain bytes), written (files in --orphans), unreadable (chunks "
    "that are written against something that is lost)",
    "findings": "what verify finds in the new repository",
}


_HINT = "the next snapshot stores again what is still on the disk; a copy of the repository may have the rest"
_HINT_WITH_PARITY = "the damaged repository has parity, from which `icc-store repair` brings back what this cannot"


def _identity(_context: click.Context, _parameter: click.Parameter, text: str | None) -> bytes | None:
    try:
        identity = None if text is None else bytes.fromhex(text)
    except ValueError:
        identity = b""
    if identity is not None and len(identity) != 16:
        raise click.BadParameter(f"{text!r} is not 32 hex digits")
    return identity


@click.command(
    cls=Command,
    examples=(
        "icc-store salvage ~/store ~/salvaged              what is left of a repository",
        "icc-store salvage lost+found/data.mdb ~/salvaged  of the file of its database alone",
        "icc-store salvage ~/store ~/salvaged --orphans ~/pieces",
    ),
)
@click.argument("damaged", metavar="DAMAGED", type=click.Path(path_type=Path))
@click.argument("new", metavar="NEW", type=click.Path(path_type=Path))
@click.option(
    "--repository-id", "identity", callback=_identity, metavar="HEX", help="Whose blocks to look for, without a header."
)
@click.option(
    "--orphans",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Write chunks that no snapshot needs here, as files named by their ids.",
)
@click.pass_obj
def command(context: Context, /, damaged: Path, new: Path, *, identity: bytes | None, orphans: Path | None) -> None:
    """Search every byte of a damaged repository for what is left of it, and put it into a new one at NEW.

    For what `repair` gives up on; where there is parity, `repair` brings back more. DAMAGED is the directory of a
    repository, or its data.mdb alone; nothing is written to it, and nobody may use it meanwhile. Snapshots come
    back with all that was found of them; what is lost is listed by path, and the exit code is 3. Forgotten
    snapshots stay forgotten, and removed ones removed where the list of snapshots can be read; where it cannot, one
    that was removed and not yet written over may be there again.
    """
    from icc_store.model.parity import parity_folder
    from icc_store.opening import open_for_salvage
    from icc_store.operations.salvage import salvage

    monitor = context.monitor
    with open_for_salvage(damaged, new, identity=identity, clock=context.clock) as salvaging:
        header = salvaging.repository.header
        result = salvage(
            salvaging.repository,
            salvaging.data,
            salvaging.evidence,
            orphans=orphans,
            monitor=monitor,
            clock=context.clock,
        )
    monitor.finish()
    document = path_fields(bytes(new.absolute())) | {"repository": header.repository.hex()} | _document(result)
    context.output.emit("salvage", document, lambda: _lines(result, new))
    if not result.whole:
        raise PartialResult(
            "not everything came back; what is lost is listed",
            hint=_HINT_WITH_PARITY if parity_folder(damaged).is_dir() else _HINT,
        )


def _document(result: SalvageResult) -> dict[str, Any]:
    names = (
        "blocks", "damaged_blocks", "snapshots", "annotations", "removed_snapshots", "lost_annotations",
        "lost_commits", "list_is_whole",
    )  # fmt: skip
    return {name: getattr(result, name) for name in names} | {
        "incomplete": [
            {
                "id": each.snapshot.id.hex(),
                "name": each.snapshot.record.name,
                "time": units.utc_time(each.snapshot.record.time_ns),
                "files": [path_fields(file.path) | {"directory": file.directory} for file in each.files],
            }
            for each in result.incomplete
        ],
        "lost_snapshots": [identity.hex() for identity in result.lost_snapshots],
        "orphans": vars(result.orphans),
        "findings": [finding.what for finding in result.check.findings],
    }


def _lines(result: SalvageResult, new: Path) -> Iterator[str]:
    for identity in result.lost_snapshots:
        yield f"lost: snapshot {identity.hex()[:SHORT_ID]}, of which nothing is left"
    for each in result.incomplete:
        record = each.snapshot.record
        name = f" {record.name}" if record.name else ""
        yield f"incomplete: snapshot {each.snapshot.id.hex()[:SHORT_ID]} {units.local_time(record.time_ns)}{name}"
        for file in each.files:
            yield f"  lost: {display(file.path) or 'its root directory'}{' and what was in it' * file.directory}"
    if result.lost_commits:
        yield f"the database is older than it should be: {units.plural(result.lost_commits, 'commit')} lost"
    if not result.list_is_whole:
        yield "the list of snapshots cannot be read or is not the last one: whether there were others, nobody can say"
    yield (
        f"salvaged {units.plural(result.snapshots, 'snapshot')} and {units.plural(result.annotations, 'annotation')} "
        f"from {units.plural(result.blocks, 'block')} into {new}"
    )
    if result.damaged_blocks:
        yield f"{units.plural(result.damaged_blocks, 'block')} that the database leads to cannot be read"
    if result.removed_snapshots:
        yield f"{units.plural(result.removed_snapshots, 'snapshot')} found that had been removed, and left out"
    orphans = result.orphans
    if orphans.objects:
        yield f"{units.plural(orphans.objects, 'object')} of {units.size(orphans.size)} that no snapshot needs left out"
    if orphans.written or orphans.unreadable:
        lost = f"; {orphans.unreadable} could not be read" if orphans.unreadable else ""
        yield f"{units.plural(orphans.written, 'chunk')} of these written as files{lost}"
