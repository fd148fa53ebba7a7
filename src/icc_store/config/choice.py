"""Which repository is meant."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from icc_store.config.file import Config
from icc_store.config.places import data_directory, memory_directory
from icc_store.errors import UsageError
from icc_store.quick_dataclass import dataclass

REPOSITORY_VARIABLE = "ICC_STORE_REPO"


@dataclass(frozen=True)
class RepositoryChoice:
    """The repository that is meant. Only a default one is made at first use: a typo never starts an empty one."""

    path: Path
    made_at_first_use: bool = False
    origin: str = "default"
    """Who says so."""


def choose_repository(option: str | None, environ: Mapping[str, str], config: Config) -> RepositoryChoice:
    """The repository that is meant: by `--repo`, by the environment, by the file, else the default one.

    The default one is `store` in the memory's `backup_directory`. Raises UsageError when there are two default ones,
    ConfigError when the memory's own file names a place where others may write.
    """
    if option:
        return RepositoryChoice(Path(option), origin="command line")
    if environ.get(REPOSITORY_VARIABLE):
        return RepositoryChoice(Path(environ[REPOSITORY_VARIABLE]), origin=f"environment ({REPOSITORY_VARIABLE})")
    if config.repository is not None:
        return RepositoryChoice(config.repository, origin=str(config.path))
    from icc_store.config.settings import settings_for  # most hooks name their repository: 1 ms

    memory = memory_directory(environ)
    settings = settings_for(memory, environ, config)
    beside = settings.backups / "store"
    origin = settings.origin("backup_directory")
    if settings.is_given("backup_directory"):
        if Path(origin).parent == memory / "config":
            from icc_store.config.trust import refuse_foreign  # likewise

            refuse_foreign(beside, origin)
        return RepositoryChoice(beside, made_at_first_use=not _something_at(beside), origin=origin)
    apart = data_directory(environ) / "store"
    existing = [path for path in (beside, apart) if _something_at(path)]
    if len(existing) > 1:
        raise UsageError(
            f"there are two repositories, {beside} and {apart}", hint="say which with --repo, or in config.toml"
        )
    if existing:
        return RepositoryChoice(existing[0])
    return RepositoryChoice(beside if memory.is_dir() else apart, made_at_first_use=True)


def _something_at(path: Path) -> bool:
    """Whether a repository stands there, or anything else that must not be taken for an empty place."""
    try:
        return any(path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return path.exists()
    except OSError:
        return True  # it cannot be looked into; opening it will say why
