"""`icc-store verify`: read and check everything that is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.output import Document, path_fields
from icc_store.errors import DamageError, UsageError
from icc_store.model.paths import display
from icc_store.operations.resolve import SHORT_ID, resolve

if TYPE_CHECKING:
    from icc_store.monitor import Monitor
    from icc_store.operations.verify import Finding, VerifyOptions, VerifyResult

DOCUMENT = {
    "complete": "whether everything was read, not a sample, one snapshot or the structure",
    "snapshots": "snapshots that were followed",
    "blocks": "blocks that were read",
    "objects": "objects in them",
    "stored_bytes": "bytes of those blocks",
    "plain_bytes": "bytes of the objects",
    "trees": "directories (parts of large ones) that were followed",
    "references": "references to contents that were followed",
    "disowned": "damaged objects that the next snapshot will store again where they are still on the disk",
    "duration_ns": "how long it took",
    "findings": {
        "severity": "damage: something cannot be read back; inconsistency: only what is derived is wrong",
        "what": "what is wrong",
        "block": "number of the block, or null",
        "objects": "how many objects it concerns, 0 where those are not counted",
        "files": "the first files that cannot be restored because of it: snapshot (id) and path",
        "files_total": "how many there are in all",
    },
}

_HINT = (
    "files that are still on the disk are stored again by the next snapshot; others may be in a copy of the repository"
)

_HINT_WITH_PARITY = "`icc-store repair` brings back what parity can; " + _HINT


def _share(_context: click.Context, _parameter: click.Parameter, text: str | None) -> float | None:
    """A share such as `5%` or `0.05`, as a number up to 1."""
    if text is None:
        return None
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise click.BadParameter(f"{text!r} is not a share like 5% or 0.05")
    return share


@click.command(
    cls=Command,
    examples=(
        "icc-store verify                    everything",
        "icc-store verify --sample 5%        a twentieth, another one each time",
        "icc-store verify --snapshot friday  all that this snapshot needs",
    ),
)
@click.option("--sample", callback=_share, metavar="SHARE", help="Only this share: what was verified longest ago.")
@click.option("--snapshot", metavar="SNAP", help="Only what this snapshot needs.")
@click.option("--structure", is_flag=True, help="No contents: records, trees, references, the index.")
@source_option
@click.pass_obj
def command(
    context: Context, *, sample: float | None, snapshot: str | None, structure: bool, source: str | None
) -> None:
    """Read and check blocks, ids, trees, the index, references and records.

    What is wrong is listed with the files of snapshots that it concerns, and the exit code is 6. What is damaged loses
    its place in the index, so that the next snapshot stores it again.
    """
    from icc_store.cli.in_child import ChildCrashed, in_child
    from icc_store.operations.verify import VerifyOptions, crashed, verify

    if sum((sample is not None, snapshot is not None, structure)) > 1:
        raise UsageError("--sample, --snapshot and --structure exclude each other")
    options = VerifyOptions(sample=sample, structure=structure)

    def work(monitor: Monitor) -> tuple[VerifyResult, bool]:
        with context.open(monitor=monitor) as repository:
            found = resolve(repository, snapshot, source=source, monitor=monitor) if snapshot else None
            result = verify(repository, found, options=options, monitor=monitor, clock=context.clock)
            return result, repository.header.has_parity

    try:
        result, has_parity = in_child(work, context.monitor, context.clock)
    except ChildCrashed as error:
        result, has_parity = crashed(error.message), False
    context.monitor.finish()
    context.output.emit("verify", _document(result), lambda: _lines(result, options), summary=not result.findings)
    if result.findings:
        hint = _HINT_WITH_PARITY if result.damaged and has_parity else _HINT
        count = units.plural(len(result.findings), "finding")
        raise DamageError(f"{count}: the repository is {'damaged' if result.damaged else 'inconsistent'}", hint=hint)


def _lines(result: VerifyResult, options: VerifyOptions) -> Iterator[str]:
    for finding in result.findings:
        yield f"{finding.severity}: {finding.what}"
        for file in finding.files:
            yield f"  {file.snapshot.hex()[:SHORT_ID]}  {display(file.path) or 'the whole snapshot'}"
        if finding.files_total > len(finding.files):
            yield f"  and {units.plural(finding.files_total - len(finding.files), 'file')} more"
        if not finding.files and finding.objects:
            yield "  no file of a snapshot needs it"
    took = units.duration(result.duration_ns)
    read = f"{units.plural(result.blocks, 'block')} of {units.size(result.stored_bytes)}, " if result.blocks else ""
    followed = f"{units.plural(result.trees, 'tree')}, {units.plural(result.references, 'reference')}"
    whole = units.plural(len(result.findings), "finding") if result.findings else "no errors"
    which = units.plural(result.snapshots, "snapshot") if options.sample is None else "a sample"
    yield f"verified {which}: {read}{followed} in {took}; {whole}"
    if result.disowned:
        yield f"{units.plural(result.disowned, 'damaged object')} will be stored again where the files are still there"


def _document(result: VerifyResult) -> Document:
    fields = {name: getattr(result, name) for name in DOCUMENT if name != "findings"}
    return fields | {"findings": [_finding_fields(finding) for finding in result.findings]}


def _finding_fields(finding: Finding) -> Document:
    return {
        "severity": str(finding.severity),
        "what": finding.what,
        "block": finding.block,
        "objects": finding.objects,
        "files": [{"snapshot": file.snapshot.hex()} | path_fields(file.path) for file in finding.files],
        "files_total": finding.files_total,
    }
