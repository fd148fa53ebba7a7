"""`icc-store diff`: what changed between two snapshots, or since one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from icc_store.cli import units
from icc_store.cli.command import Command, source_option
from icc_store.cli.context import Context
from icc_store.cli.entity_fields import ENTITY
from icc_store.cli.entry_fields import type_name
from icc_store.cli.output import Document, path_fields
from icc_store.cli.settings import json_lines_option
from icc_store.cli.snapshot_fields import ROW as SNAPSHOT
from icc_store.cli.snapshot_fields import described, snapshot_fields
from icc_store.errors import PartialResult, UsageError
from icc_store.model.paths import display
from icc_store.operations.changes import Change, ChangeKind, DiffOptions, DiffSummary, Side
from icc_store.operations.resolve import resolve, stored_path

if TYPE_CHECKING:
    from icc_store.model.record import Snapshot
    from icc_store.model.repository import Repository
    from icc_store.operations.memory.entity_diff import EntityDiff

CHANGE = {
    "path": "the stored path",
    "change": "added, removed, modified, type, metadata or unreadable",
    "before": "type, mode, size, mtime, uid, gid and target in A, or null",
    "after": "the same in B or in the live directory, or null",
    "what": "what differs: content, mode, owner, mtime, xattrs, target, device, hard link; why it is unreadable",
    "growth": "bytes by which the file grew",
    "diff": "with --content, of a file: the lines of a unified diff",
    "diff_note": "why there are none: binary, or too large",
}
DOCUMENT = {
    "before": SNAPSHOT,
    "after": "the second snapshot, with the same fields; null for the live directory",
    "changes": CHANGE,
    "summary": "with --stat, and then without `changes`: how many of each change, added_size, removed_size, growth",
    "entities": ENTITY,
    "types": "with --entities, by type: how many were added, removed, changed and moved",
}

_SIGNS = {
    ChangeKind.ADDED: "+",
    ChangeKind.REMOVED: "-",
    ChangeKind.MODIFIED: "M",
    ChangeKind.TYPE: "T",
    ChangeKind.METADATA: "U",
    ChangeKind.UNREADABLE: "!",
}


@click.command(
    cls=Command,
    examples=(
        "icc-store diff latest             what changed since the newest snapshot",
        "icc-store diff latest~1 latest --content",
        "icc-store diff 2026-11-01 friday --stat",
        "icc-store diff friday --path notes --path todo.md",
        "icc-store diff latest~7 latest --entities",
    ),
)
@click.argument("before", metavar="A")
@click.argument("after", metavar="[B]", required=False)
@click.option("--path", "paths", multiple=True, metavar="PATH", help="Only this, with all below; may be repeated.")
@click.option("--entities", is_flag=True, help="Show which entities of a memory changed, and which fields of them.")
@click.option("--content", is_flag=True, help="Show the lines that differ in text files.")
@click.option("--stat", is_flag=True, help="Only count.")
@click.option("--content-check", is_flag=True, help="Without B: read files whose size and time agree too.")
@source_option
@json_lines_option
@click.pass_obj
def command(
    context: Context,
    *,
    before: str,
    after: str | None,
    paths: tuple[str, ...],
    entities: bool,
    content: bool,
    stat: bool,
    content_check: bool,
    source: str | None,
) -> None:
    """Show what changed from snapshot A to snapshot B; without B, to the live directory.

    + added, - removed, M modified, T of another type, U other metadata, ! cannot be read. Of a directory with nothing
    but another time only -v tells. With --entities: + added, - removed, M changed, > moved.
    """
    if entities and content:
        raise UsageError("--entities and --content are two ways to look at the same files", hint="choose one")
    with context.open(readonly=True) as repository:
        about = os.fsencode(paths[0]) if paths else None
        left = resolve(repository, before, source=source, path=about, monitor=context.monitor)
        right = resolve(repository, after, source=source, path=about, monitor=context.monitor) if after else None
        options = DiffOptions(
            paths=tuple(stored_path(left.record, path) for path in paths),
            content=content and not stat,
            content_check=content_check,
            directory_times=context.settings.verbose > 0,
        )
        head = {"before": snapshot_fields(left), "after": snapshot_fields(right) if right else None}
        if entities:
            from icc_store.cli.entity_changes import print_entities

            print_entities(context, _entity_changes(context, repository, (left, right), options), head, stat=stat)
            return
        counted = _Counted(_changes(context, repository, (left, right), options))
        if stat:
            for _ in counted:
                pass
            context.monitor.finish()
            document = head | {"summary": _summary_fields(counted.summary)}
            context.output.emit("diff", document, lambda: _stat_lines(counted.summary, left, right))
        else:
            context.output.emit_rows(
                "diff",
                counted,
                as_json=_fields,
                as_text=lambda rows: _lines(rows, counted, quiet=context.settings.quiet),
                key="changes",
                head=head,
            )
    unread = counted.summary.counts[ChangeKind.UNREADABLE]
    if unread:
        raise PartialResult(f"{units.plural(unread, 'path')} could not be read")


def _changes(
    context: Context, repository: Repository, snapshots: tuple[Snapshot, Snapshot | None], options: DiffOptions
) -> Iterator[Change]:
    from icc_store.operations.diff import diff
    from icc_store.operations.diff_live import diff_live

    left, right = snapshots
    if right is None:
        return diff_live(repository, left, options=options, monitor=context.monitor)
    return diff(repository, (left, right), options=options, monitor=context.monitor)


def _entity_changes(
    context: Context, repository: Repository, snapshots: tuple[Snapshot, Snapshot | None], options: DiffOptions
) -> EntityDiff:
    from icc_store.operations.memory.entity_diff import entity_diff
    from icc_store.operations.memory.entity_diff_live import entity_diff_live

    left, right = snapshots
    if right is None:
        return entity_diff_live(repository, left, options=options, monitor=context.monitor)
    return entity_diff(repository, (left, right), options=options, monitor=context.monitor)


class _Counted:
    """Changes, counted as they pass by."""

    def __init__(self, changes: Iterator[Change]) -> None:
        self._changes = changes
        self.summary = DiffSummary()

    def __iter__(self) -> Iterator[Change]:
        for change in self._changes:
            self.summary = self.summary.plus(change)
            yield change


def _lines(changes: Iterable[Change], counted: _Counted, *, quiet: bool) -> Iterator[str]:
    for change in changes:
        yield f"{_SIGNS[change.kind]} {_shown(change)}{_detail(change)}"
        if change.text is not None:
            if change.text.lines:
                name = display(change.path)
                yield f"--- {'a/' + name if change.before else '/dev/null'}"
                yield f"+++ {'b/' + name if change.after else '/dev/null'}"
            yield from change.text.lines
            if change.text.note:
                yield f"  ({change.text.note})"
    if not quiet:
        yield _summary_line(counted.summary)


def _shown(change: Change) -> str:
    side = change.after or change.before
    slash = "/" if side is not None and type_name(side.mode) == "directory" and change.path else ""
    return (display(change.path) or ".") + slash


def _detail(change: Change) -> str:
    before, after = change.before, change.after
    if change.kind is ChangeKind.UNREADABLE:
        return f"  {', '.join(change.what)}"
    if before is not None and after is not None:
        if change.kind is ChangeKind.TYPE:
            return f"  {type_name(before.mode)} -> {type_name(after.mode)}"
        words = [word for word in change.what if word != "content" and not (word == "mtime" and len(change.what) > 1)]
        if change.kind is ChangeKind.MODIFIED and "content" in change.what:
            grown = (
                "same size" if change.growth == 0 else ("+" if change.growth > 0 else "") + units.size(change.growth)
            )
            words.insert(0, grown)
        if "mode" in change.what:
            words[words.index("mode")] = f"mode {before.mode & 0o7777:04o} -> {after.mode & 0o7777:04o}"
        if "owner" in change.what:
            words[words.index("owner")] = f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}"
        return f"  {', '.join(words)}" if words else ""
    side = after or before
    return f"  {units.size(side.size)}" if side is not None and type_name(side.mode) == "file" else ""


def _summary_line(summary: DiffSummary) -> str:
    if not summary.total:
        return "no differences"
    counts = summary.counts
    words = {
        "added": counts[ChangeKind.ADDED],
        "removed": counts[ChangeKind.REMOVED],
        "modified": counts[ChangeKind.MODIFIED],
        "of another type": counts[ChangeKind.TYPE],
        "with other metadata": counts[ChangeKind.METADATA],
        "unreadable": counts[ChangeKind.UNREADABLE],
    }
    return ", ".join(f"{units.number(count)} {word}" for word, count in words.items() if count)


def _stat_lines(summary: DiffSummary, left: Snapshot, right: Snapshot | None) -> Iterator[str]:
    yield f"from {described(left)} to {described(right) if right else 'now'}"
    yield f"  {_summary_line(summary)}"
    if summary.total:
        grown = ("+" if summary.growth >= 0 else "") + units.size(summary.growth)
        yield (
            f"  {units.size(summary.added_size)} in added files, {units.size(summary.removed_size)} in removed ones,"
            f" {grown} in others"
        )


def _summary_fields(summary: DiffSummary) -> Document:
    return {str(kind): count for kind, count in summary.counts.items()} | {
        "added_size": summary.added_size,
        "removed_size": summary.removed_size,
        "growth": summary.growth,
    }


def _fields(change: Change) -> Document:
    fields = path_fields(change.path) | {
        "change": str(change.kind),
        "before": _side_fields(change.before),
        "after": _side_fields(change.after),
        "what": list(change.what),
        "growth": change.growth,
    }
    if change.text is not None:
        fields["diff"] = list(change.text.lines)
        if change.text.note:
            fields["diff_note"] = change.text.note
    return fields


def _side_fields(side: Side | None) -> Document | None:
    if side is None:
        return None
    fields: Document = {
        "type": type_name(side.mode),
        "mode": f"{side.mode & 0o7777:04o}",
        "size": side.size,
        "mtime": units.utc_time(side.mtime_ns),
        "uid": side.uid,
        "gid": side.gid,
    }
    return fields | (path_fields(side.target, "target") if side.target is not None else {})
