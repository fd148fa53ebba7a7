"""What validation found: about one file or field, or about the memory as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from icc_store.limits import MAX_FINDINGS_OF_A_FILE


class Severity(StrEnum):
    """An error makes a file unusable for its memory system; a warning is worth a look. Both are stored all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. `path` is a stored path, empty for the whole memory; `field` is empty for the whole file."""

    severity: Severity
    path: bytes
    field: str
    """Where in the file: `relevance_score`, `context.domain`, `tags[2]`."""
    message: str
    """What is wrong and what was expected. Never holds text of the file beyond ids, field names and numbers."""


def error(path: bytes, field: str, message: str) -> Finding:
    """A finding that is an error."""
    return Finding(Severity.ERROR, path, field, message)


def warning(path: bytes, field: str, message: str) -> Finding:
    """A finding that is a warning."""
    return Finding(Severity.WARNING, path, field, message)


def bounded(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings of one file, as many as anybody reads; a last one says how many more there are."""
    if len(findings) <= MAX_FINDINGS_OF_A_FILE:
        return tuple(findings)
    rest = findings[MAX_FINDINGS_OF_A_FILE:]
    worst = Severity.ERROR if any(one.severity is Severity.ERROR for one in rest) else Severity.WARNING
    last = Finding(worst, rest[0].path, "...", f"and {len(rest)} more findings in this file")
    return (*findings[:MAX_FINDINGS_OF_A_FILE], last)


def count(findings: Iterable[Finding]) -> tuple[int, int]:
    """How many are errors, and how many warnings."""
    severities = [finding.severity for finding in findings]
    errors = severities.count(Severity.ERROR)
    return errors, len(severities) - errors
