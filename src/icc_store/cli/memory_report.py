"""What a snapshot says about the memory it was taken of: as JSON fields, as lines, as warnings, as an exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from icc_store.cli.units import number, plural
from icc_store.entities.findings import Severity
from icc_store.entities.profiles import GENERIC
from icc_store.errors import PartialResult
from icc_store.model.paths import display
from icc_store.operations.memory.manifest import notes_of

if TYPE_CHECKING:
    from icc_store.entities.findings import Finding
    from icc_store.operations.snapshot import SnapshotResult

MEMORY = {
    "profile": "the profile it was taken with; `generic` when it is of no memory that is known",
    "entities": "entities by type, or null",
    "integrity_hash": "of the manifest, or null",
    "validation_passed": "whether everything is stored as it is in the source, or null",
    "failures": "what validation after the backup found wrong with the backup",
    "errors": "errors found in the memory, or null",
    "warnings": "warnings found in the memory, or null",
    "findings": "severity, path, field and message of each, when anything in the memory has changed",
    "secrets": "path and message of each new file whose text looks like it holds a key (--scan-secrets)",
    "withheld": "paths that hold secrets and are never stored",
    "manifest_error": "why there is no manifest, else null",
}
"""The fields of `memory_fields`."""


def memory_fields(result: SnapshotResult) -> dict[str, Any]:
    """What is known of the memory, for JSON."""
    notes = result.notes or {}
    errors, warnings = notes.get("findings", (0, 0)) if "digest" in notes else (None, None)
    return {
        "profile": result.profile,
        "entities": notes.get("entities"),
        "integrity_hash": f"sha256:{notes['digest'].hex()}" if "digest" in notes else None,
        "validation_passed": notes.get("passed"),
        "failures": notes.get("failures", []),
        "errors": errors,
        "warnings": warnings,
        "findings": [finding_fields(finding) for finding in result.findings],
        "secrets": [finding_fields(finding) for finding in result.secrets],
        "withheld": [display(path) for path in result.withheld],
        "manifest_error": notes.get("error"),
    }


def finding_fields(finding: Finding) -> dict[str, str]:
    """One finding, for JSON."""
    return {
        "severity": finding.severity.value,
        "path": display(finding.path),
        "field": finding.field,
        "message": finding.message,
    }


def memory_lines(result: SnapshotResult) -> Iterator[str]:
    """What is known of the memory, for people; of any other directory, which secrets in it were not stored."""
    notes = result.notes or {}
    entities = notes.get("entities") or {}
    if any(entities.values()):
        kinds = ", ".join(f"{number(count)} {kind}" for kind, count in entities.items() if count)
        yield f"  {number(sum(entities.values()))} entities: {kinds}"
    errors, warnings = notes.get("findings", (0, 0))
    if errors or warnings:
        found = f"{plural(errors, 'error')}, {plural(warnings, 'warning')}"
        yield f"  {found} in the memory itself: see `icc-store validate`"
    if result.withheld:
        yield f"  never stored, for holding secrets: {', '.join(map(display, result.withheld))}"


def memory_warnings(result: SnapshotResult, *, verbose: bool) -> list[tuple[bytes, str]]:
    """Paths and messages for stderr: errors in the memory, and keys in its text; warnings for who wants to know all."""
    found = [each for each in result.findings if verbose or each.severity is Severity.ERROR]
    found += result.secrets
    return [(each.path, f"{each.severity}: {f'{each.field}: ' if each.field else ''}{each.message}") for each in found]


def loss_warnings(result: SnapshotResult) -> list[tuple[bytes, str]]:
    """What a user may not know yet: that most of what was there is gone, or that a memory is none any more."""
    parent = result.parent
    if parent is None:
        return []
    files, short = parent.record.counters.files, parent.id.hex()[:8]
    found = []
    if 2 * result.fewer_files > files:
        gone = f"{number(result.fewer_files)} of {plural(files, 'file')}"
        found.append((b"", f"warning: {gone} of the last snapshot ({short}) are gone; it still has them"))
    former = (notes_of(parent) or {}).get("profile", result.profile)
    if former != result.profile and result.profile == GENERIC.name:
        found.append((b"", f"warning: at the last snapshot ({short}) this was a memory ({former}); now it is none"))
    return found


def require_sound(result: SnapshotResult) -> None:
    """Raise PartialResult when the snapshot was taken, but validation failed or its manifest could not be made."""
    notes = result.notes or {}
    if "error" in notes:
        raise PartialResult(
            f"the snapshot is kept, its manifest could not be made: {notes['error']}",
            hint="`icc-store manifest latest --rebuild` makes it later",
        )
    if notes.get("failures"):
        first, *more = notes["failures"]
        others = f" (and {len(more)} more)" if more else ""
        raise PartialResult(f"the snapshot is kept, but validation failed: {first}{others}")
