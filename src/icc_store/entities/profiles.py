"""Profiles: what is known of a kind of memory. How it is recognised, what it holds, what a backup must leave out."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path

from icc_store.entities.layout import USUAL_PLACE, Area, place_of
from icc_store.quick_dataclass import dataclass


class RecordFormat(StrEnum):
    """How a file holds records."""

    ENTITY = "entity"
    """JSON, one entity a file (icc)."""
    MARKDOWN = "markdown"
    """Markdown, with or without front matter: one record a file."""
    JSON_LINES = "json-lines"
    """An MCP memory server's `memory.jsonl`: one entity or relation a line."""


@dataclass(frozen=True)
class Profile:
    """One kind of memory. Patterns are gitignore's, relative to its root."""

    name: str
    title: str
    recognised_by: tuple[frozenset[bytes], ...] = ()
    """Names that stand in the root of such a memory; any of these sets is enough."""
    homes: tuple[tuple[str, str], ...] = ()
    """Where it usually is: below the home directory, or where an environment variable of that name says."""
    never_store: tuple[str, ...] = ()
    """Credentials and tokens."""
    skip: tuple[str, ...] = ()
    """What the tool makes again by itself."""
    databases: tuple[bytes, ...] = ()
    """Endings of names that are SQLite databases, whether or not a companion stands beside them."""
    markdown: str = ""
    """An expression for the stored paths of Markdown records."""

    @property
    def is_icc(self) -> bool:
        """Whether its entities, indexes, relationships and configuration are known and checked."""
        return self.name == "icc"

    def record_format(self, path: bytes) -> RecordFormat | None:
        """How the file at a stored path holds records; None when it holds none."""
        if self.is_icc and place_of(path).area is Area.ENTITY:
            return RecordFormat.ENTITY
        if path.rpartition(b"/")[2] == b"memory.jsonl":
            return RecordFormat.JSON_LINES
        if self.markdown and re.fullmatch(self.markdown, path.decode("utf-8", "surrogateescape")):
            return RecordFormat.MARKDOWN
        return None


_DATABASES = (b".db", b".sqlite", b".sqlite3")
_ANY_MARKDOWN = r"(?!\.obsidian/).*\.md"

GENERIC = Profile("generic", "a directory", markdown=_ANY_MARKDOWN)
"""Nothing is known of it; nothing is left out of its own accord."""

PROFILES = (
    Profile(
        "icc",
        "the memory of this machine's agent",
        (frozenset((b"entities",)),),
        homes=(("", USUAL_PLACE),),
        databases=_DATABASES,
    ),
    Profile(
        "claude-code",
        "Claude Code",
        (frozenset((b"projects", b"settings.json")), frozenset((b"projects", b"history.jsonl"))),
        homes=(("CLAUDE_CONFIG_DIR", ".claude"),),
        never_store=(".credentials.json",),
        skip=(
            "/debug/",
            "/shell-snapshots/",
            "/session-env/",
            "/ide/",
            "/cache/",
            "/statsig/",
            "/todos/",
            "/plugins/cache/",
        ),
        databases=_DATABASES,
        markdown=r"projects/[^/]+/memory/.*\.md|CLAUDE\.md|(rules|skills|commands|agents|plans)/.*\.md",
    ),
    Profile(
        "codex",
        "Codex",
        (frozenset((b"config.toml", b"sessions")), frozenset((b"sessions", b"auth.json"))),
        homes=(("CODEX_HOME", ".codex"),),
        never_store=("auth.json", ".credentials.json"),
        databases=_DATABASES,
        markdown=r"AGENTS\.md|memories/.*\.md",
    ),
    Profile(
        "gemini",
        "Gemini CLI",
        (frozenset((b"GEMINI.md", b"settings.json")), frozenset((b"settings.json", b"oauth_creds.json"))),
        homes=(("", ".gemini"),),
        never_store=("oauth_creds.json", "*-tokens.json", "google_accounts.json"),
        databases=_DATABASES,
        markdown=r"GEMINI\.md|tmp/[^/]+/memory/.*\.md",
    ),
    Profile(
        "basic-memory",
        "basic-memory",
        (frozenset((b"memory.db",)),),
        homes=(("", ".basic-memory"), ("BASIC_MEMORY_HOME", "basic-memory")),
        never_store=("basic-memory-cloud.json",),
        databases=_DATABASES,
        markdown=_ANY_MARKDOWN,
    ),
    GENERIC,
)

BY_NAME: Mapping[str, Profile] = {profile.name: profile for profile in PROFILES}


def recognise(names: Collection[bytes]) -> Profile:
    """The profile of a directory that holds these names; GENERIC when none fits."""
    present = frozenset(names)
    for profile in PROFILES:
        if any(needed <= present for needed in profile.recognised_by):
            return profile
    return GENERIC


def usual_places(profile: Profile, home: Path, environ: Mapping[str, str]) -> list[Path]:
    """Where memories of this kind are on a machine, whether or not one is there."""
    return [Path(environ.get(variable) or home / below) for variable, below in profile.homes]
