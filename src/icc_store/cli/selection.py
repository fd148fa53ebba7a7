"""The options that choose entities for a selective snapshot, and what is said of what they left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from icc_store.cli import units
from icc_store.errors import UsageError

if TYPE_CHECKING:
    from icc_store.entities.select import Selection
    from icc_store.operations.memory.selection import LeftOut
    from icc_store.operations.snapshot import SnapshotOptions

SELECTION = {
    "kind": "config-only, high-relevance or general",
    "description": "what was asked for, in words",
    "options": "what was asked for, by option",
    "entities": "files that hold entities",
    "kept": "those of them that are stored",
    "unjudged": "those of them that are stored because they cannot be read or parsed",
    "files_left_out": "files that are not stored, entities and others",
    "size_left_out": "their bytes",
}
"""The fields of `selection_fields`."""

_OPTIONS = (
    click.option("--config-only", is_flag=True, help="Only configuration, relationships and indexes; no entities."),
    click.option("--high-relevance-only", is_flag=True, help="Only entities with a relevance_score above 0.7."),
    click.option("--min-relevance", type=float, metavar="SCORE", help="Only entities that score this much or more."),
    click.option("--types", metavar="TYPE,...", multiple=True, help="Only entities of one of these types."),
    click.option(
        "--tags",
        "entity_tags",
        metavar="TAG,...",
        multiple=True,
        help="Only entities that have one of these tags. (--tag gives the snapshot one.)",
    ),
    click.option("--created-after", metavar="DATE", help="Only entities created then or later."),
    click.option("--created-before", metavar="DATE", help="Only entities created earlier."),
    click.option("--exclude-archived-before", metavar="DATE", help="No entities that were archived earlier."),
    click.option("--where", metavar="EXPRESSION", help="Only entities of which this is true: docs/selection.md."),
)
_NAMES = (
    "config_only",
    "high_relevance_only",
    "min_relevance",
    "types",
    "entity_tags",
    "created_after",
    "created_before",
    "exclude_archived_before",
    "where",
)


def selection_options(function: Any) -> Any:
    """The options that `selection_of` understands."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def selection_of(given: Mapping[str, Any]) -> Selection | None:
    """What the options ask for; None when none was given. Raises UsageError for what cannot be meant."""
    asked = {name: given[name] for name in _NAMES if given[name] or (given[name] == 0 and given[name] is not False)}
    if not asked:
        return None
    from icc_store.entities.select import Selection  # an everyday snapshot chooses nothing

    for name, option in (("types", "--types"), ("entity_tags", "--tags")):
        if name in asked:
            asked[name] = _listed(option, asked[name])
    tags = asked.pop("entity_tags", ())
    return Selection(**asked, tags=tags)


def require_one_memory(options: SnapshotOptions, paths: Sequence[Path]) -> None:
    """Raises UsageError when entities are chosen and the rest of the command line does not go with that."""
    if len(paths) != 1 or options.as_path:
        raise UsageError("entities are chosen from one memory: name its directory, without --as-path or --stdin")
    if options.incremental:
        raise UsageError(
            "--incremental stores everything, so it goes with no option that chooses entities",
            hint="take two snapshots: unchanged files cost nothing in either",
        )
    if options.skip_if_unchanged:
        raise UsageError("--skip-if-unchanged compares with a full snapshot, and chosen entities make a selective one")


def selection_fields(left_out: LeftOut | None) -> dict[str, Any] | None:
    """What was chosen and left out, for JSON; None for a full snapshot."""
    if left_out is None:
        return None
    return {
        "kind": left_out.selection.kind.value,
        "description": left_out.selection.describe(),
        "options": left_out.selection.to_record(),
        "entities": left_out.entities,
        "kept": left_out.kept,
        "unjudged": left_out.unjudged,
        "files_left_out": left_out.files,
        "size_left_out": left_out.size,
    }


def selection_lines(left_out: LeftOut | None) -> Iterator[str]:
    """The same for people."""
    if left_out is None:
        return
    chosen = f"{units.number(left_out.kept)} of {units.plural(left_out.entities, 'entity', 'entities')}"
    gone = f"{units.plural(left_out.files, 'file')} of {units.size(left_out.size)} left out"
    yield f"  selective: {chosen}: {left_out.selection.describe()}; {gone}"
    if left_out.unjudged:
        yield f"  {units.number(left_out.unjudged)} of these cannot be read or parsed, and are kept for that"


def _listed(option: str, given: Sequence[str]) -> tuple[str, ...]:
    """The names in one or more lists with commas."""
    names = tuple(name.strip() for text in given for name in text.split(","))
    if not all(names):
        raise UsageError(f"{option}: there is an empty name in {','.join(given)!r}", hint=f"write {option} one,other")
    return names
