"""What validation found: about one file or field, or about the memory as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum

from icc_store.limits import MAX_FINDINGS_OF_A_FILE
from icc_store.quick_dataclass import dataclass

_NAME = re.compile(r"[\w.:/@#+-]+")
_SHOWN_NAME = 80


class Severity(StrEnum):
    """An error makes a file unusable for its memory system; a warning is worth a look. Both are stored all the same."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Finding:
    """Something wrong. `path` is a stored path, empty for the whole memory; `field` is empty for the whole file."""

    severity: Severity
    path: bytes
    field: str
    """Where in the file: `relevance_score`, `context.domain`, `tags[2]`."""
    message: str
    """What is wrong and what was expected. Of the file's text it holds nothing but numbers and what is `named`."""


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


def named(text: str) -> str:
    """An id, a type or the name of a field, as messages show it: short, and only when it has the form of a name.

    What stands where a name should may be anything, a password too, and messages come into logs.
    """
    return shortened(text) if _NAME.fullmatch(text) else f"a text of {len(text):,} characters"


def shortened(name: str) -> str:
    """A name in a message, which is to be read at a glance."""
    return name if len(name) <= _SHOWN_NAME else name[: _SHOWN_NAME - 3] + "..."


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Errors before warnings, each in order of paths."""

    def rank(finding: Finding) -> tuple[bool, bytes]:
        return finding.severity is not Severity.ERROR, finding.path

    return tuple(sorted(findings, key=rank))
