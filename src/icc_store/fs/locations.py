"""The memories of AI agents that this machine has, and what in them a backup must or need not hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from icc_store.fs.excludes import stored_below


@dataclass(frozen=True)
class KnownMemory:
    """A directory that is worth a backup. The patterns are gitignore's, relative to it."""

    name: str
    path: Path
    never_store: tuple[str, ...] = ()
    """Secrets."""
    skip: tuple[str, ...] = ()
    """What the tool makes again by itself."""


_CLAUDE_SECRETS = ("/.credentials.json",)
_CLAUDE_SKIP = (
    "/debug/",
    "/shell-snapshots/",
    "/session-env/",
    "/ide/",
    "/cache/",
    "/statsig/",
    "/todos/",
    "/plugins/cache/",
)
_CODEX_SECRETS = ("/auth.json", "/.credentials.json")
_GEMINI_SECRETS = ("/oauth_creds.json", "/*-tokens.json", "/google_accounts.json")
_BASIC_MEMORY_SECRETS = ("basic-memory-cloud.json",)

_NEVER_IN_A_MEMORY = ("backups", "safety")


def default_memory(home: Path) -> Path:
    """The directory that is backed up when none is named."""
    return home / ".claude" / "memory"


def never_stored(root: Path, home: Path | None) -> list[bytes]:
    """Stored paths below `root` that are never part of its backup: where a memory keeps backups and safety copies.

    That is said of the default memory and of a `root` with the same layout; elsewhere directories of these names are
    like any others, and leaving them out would lose them.
    """
    memories = [] if home is None else [default_memory(home)]
    if (root / "entities").is_dir():
        memories.append(root)
    return stored_below(root, [memory / name for memory in memories for name in _NEVER_IN_A_MEMORY])


def known_memories(home: Path, environ: Mapping[str, str]) -> list[KnownMemory]:
    """The memories found, the default one first. CLAUDE_CONFIG_DIR, CODEX_HOME and BASIC_MEMORY_HOME may move them."""
    claude = Path(environ.get("CLAUDE_CONFIG_DIR") or home / ".claude")
    codex = Path(environ.get("CODEX_HOME") or home / ".codex")
    notes = Path(environ.get("BASIC_MEMORY_HOME") or home / "basic-memory")
    candidates = [
        KnownMemory("memory", default_memory(home)),
        KnownMemory("Claude Code", claude, _CLAUDE_SECRETS, _CLAUDE_SKIP),
        KnownMemory("Codex", codex, _CODEX_SECRETS),
        KnownMemory("Gemini CLI", home / ".gemini", _GEMINI_SECRETS),
        KnownMemory("basic-memory", home / ".basic-memory", _BASIC_MEMORY_SECRETS),
        KnownMemory("basic-memory notes", notes, _BASIC_MEMORY_SECRETS),
    ]
    return [memory for memory in candidates if memory.path.is_dir()]
