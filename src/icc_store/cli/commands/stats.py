"""`icc-store stats`: what the repository holds."""

from __future__ import annotations

from collections.abc import Iterator

import click

from icc_store.cli.command import Command
from icc_store.cli.context import Context
from icc_store.cli.output import Document, path_fields
from icc_store.cli.snapshot_fields import ROW, short_id, snapshot_fields
from icc_store.cli.table import Column, table
from icc_store.cli.units import local_time, number, plural, ratio, share, size
from icc_store.errors import DamageError
from icc_store.operations.stats import KindStats, Stats, stats

DOCUMENT = {
    "repository": "the directory of the repository",
    "steps": {
        "logical": "bytes of all files in all snapshots",
        "unique": "plain bytes of every distinct object",
        "alone": "bytes if each object were compressed by itself; projected from a sample",
        "grouped": "bytes if they were compressed in groups, without deltas; projected from a sample",
        "stored": "bytes of all compressed frames, as they are",
        "blocks": "the same with the headers and directories of the blocks",
        "disk": "what the repository takes on disk",
    },
    "blocks": "how many blocks there are",
    "parity": "bytes of `disk` that parity takes; 0 without it",
    "forgotten": "how many of the snapshots are forgotten",
    "kinds": {
        "kind": "chunk, list, tree, snapshot, annotation or xattrs",
        "objects": "how many there are",
        "delta_objects": "how many of them are stored against earlier ones",
        "plain": "their bytes",
        "stored": "bytes of the frames they stand in",
    },
    "snapshots": ROW | {"added_plain": "bytes that were not stored before it"},
    "damaged": {"block": "number of a block that could not be read", "message": "why"},
}

_LISTED = 20


@click.command(cls=Command, examples=("icc-store stats", "icc-store stats --all --json"))
@click.option("--all", "everything", is_flag=True, help=f"Every snapshot, not only the newest {_LISTED}.")
@click.pass_obj
def command(context: Context, *, everything: bool) -> None:
    """Show what the repository holds, what each snapshot added, and what each way of saving saves.

    Every block is read. How much grouping and deltas save is projected from a sample.
    """
    with context.open(readonly=True) as repository:
        found = stats(repository, monitor=context.monitor)
        path = repository.path
    width = context.output.width
    document = path_fields(bytes(path.absolute()), "repository") | _document(found)
    context.output.emit("stats", document, lambda: _lines(found, everything, width))
    if found.damaged:
        raise DamageError(f"{plural(len(found.damaged), 'block')} could not be read", hint="run `icc-store verify`")


def _document(found: Stats) -> Document:
    return {
        "steps": {name: getattr(found.steps, name) for name in found.steps.__dataclass_fields__},
        "blocks": found.block_count,
        "parity": found.parity_bytes,
        "forgotten": found.forgotten,
        "kinds": [
            {
                "kind": one.kind.name.lower(),
                "objects": one.objects,
                "delta_objects": one.delta_objects,
                "plain": one.plain,
                "stored": one.stored,
            }
            for one in found.kinds
        ],
        "snapshots": [
            snapshot_fields(one) | {"added_plain": one.record.counters.added_plain} for one in found.snapshots
        ],
        "damaged": [{"block": block, "message": message} for block, message in found.damaged],
    }


def _lines(found: Stats, everything: bool, width: int | None) -> Iterator[str]:
    forgotten = f", {number(found.forgotten)} of them forgotten" if found.forgotten else ""
    yield f"{plural(len(found.snapshots), 'snapshot')}{forgotten}, {plural(found.block_count, 'block')}"
    yield ""
    yield from _way_down(found)
    yield ""
    yield from _kinds(found.kinds)
    shown = found.snapshots if everything else found.snapshots[-_LISTED:]
    if shown:
        yield ""
        yield from _added(found, len(shown), width)
    if len(shown) < len(found.snapshots):
        yield f"(the newest {len(shown)}; --all shows every one)"


def _way_down(found: Stats) -> Iterator[str]:
    steps = found.steps
    rows = [
        ("all files of all snapshots", steps.logical, ""),
        ("every object once", steps.unique, "deduplication"),
        ("each compressed by itself", steps.alone, "compression *"),
        ("compressed in groups", steps.grouped, "grouping *"),
        ("against earlier versions", steps.stored, "deltas *"),
        ("with block headers", steps.blocks, ""),
        ("on disk", steps.disk, ""),
    ]
    cells, before = [], 0
    for title, count, by in rows:
        saved = f"{share(abs(before - count), before)} {'less' if count <= before else 'more'}" if by and before else ""
        cells.append([title, size(count), saved, by])
        before = count
    yield from table((Column("WAY DOWN"), Column("BYTES", right=True), Column("", right=True), Column("BY")), cells)
    if found.parity_bytes:
        yield f"parity takes {size(found.parity_bytes)} of it"
    yield f"{ratio(steps.logical, steps.disk)} smaller in all.  * projected from a sample"


def _kinds(kinds: tuple[KindStats, ...]) -> Iterator[str]:
    columns = [Column("KIND"), *(Column(title, right=True) for title in ("OBJECTS", "DELTAS", "PLAIN", "STORED", ""))]
    return table(
        columns,
        (
            [
                one.kind.name.lower(),
                number(one.objects),
                number(one.delta_objects) if one.delta_objects else "",
                size(one.plain),
                size(one.stored),
                ratio(one.plain, one.stored),
            ]
            for one in kinds
        ),
    )


def _added(found: Stats, count: int, width: int | None) -> Iterator[str]:
    titles = ("FILES", "SIZE", "NEW DATA", "ADDED")
    columns = [
        Column("ID"),
        Column("TIME"),
        Column("NAME", flexible=True),
        *(Column(one, right=True) for one in titles),
    ]
    rows = []
    for one in found.snapshots[-count:]:
        counters = one.record.counters
        rows.append(
            [
                short_id(one),
                local_time(one.record.time_ns)[:16],
                one.record.name,
                number(counters.files),
                size(counters.size),
                size(counters.added_plain),
                size(counters.added_stored),
            ]
        )
    return table(columns, rows, width)
