"""What a command knows about itself when it fails, gathered for a report. Imported only then."""

from __future__ import annotations

from pathlib import Path

from icc_store.cli.context import Context
from icc_store.config import REPOSITORY_VARIABLE, settings_for, state_directory
from icc_store.config.settings import variable_of
from icc_store.entities.settings import KEYS
from icc_store.errors import IccStoreError
from icc_store.operations.diagnostics import Failure, write_report

_VARIABLES = (
    "HOME",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    REPOSITORY_VARIABLE,
    *(variable_of(key) for key in KEYS),
)


def write(problem: BaseException, context: Context) -> Path:
    """Write the report; returns its path. Raises OSError."""
    failure = Failure(
        problem,
        command=context.command or "",
        phase=context.monitor.last_phase,
        last_paths=tuple(context.monitor.last_paths),
        repository=_repository(context),
        settings=_settings(context),
        environment={name: context.environ[name] for name in _VARIABLES if name in context.environ},
    )
    return write_report(state_directory(context.environ) / "reports", failure, clock=context.clock)


def _repository(context: Context) -> Path | None:
    try:
        return context.repository.path
    except IccStoreError:
        return None


def _settings(context: Context) -> dict[str, str]:
    """The settings that are not those of one memory: that one's own files are nobody else's business."""
    try:
        config = context.config
        settings = settings_for(None, context.environ, config)
    except IccStoreError as error:
        return {"settings": f"cannot be read: {type(error).__name__}"}
    values = {key: f"{getattr(settings, key)} ({settings.origin(key)})" for key in KEYS}
    return values | {"config file": str(config.path), "source": config.source or "", "host": config.host or ""}
