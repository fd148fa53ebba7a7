"""Putting our slash commands among those of an agent, and taking them away again.

An installed file ends with a mark that holds the hash of what is above it. So without any list kept elsewhere it is
known which files are ours, and which of those somebody has changed: these, and files that are not ours, are left alone.
A plan says what is to be done about each, and the real run does exactly that.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from icc_store.errors import TargetError
from icc_store.fs.new_file import NewFile

_MARK = b"<!-- installed by `icc-store integrate`, sha256:%b -->\n"
_MARKED = re.compile(rb"(.*)<!-- installed by `icc-store integrate`, sha256:([0-9a-f]{64}) -->\n", re.DOTALL)
_ANY_MARK = b"<!-- installed by `icc-store integrate`"


class Action(StrEnum):
    """What is done about a file."""

    INSTALL = "install"
    UPDATE = "update"
    """It is ours and untouched, of another version of the program."""
    REPLACE = "replace"
    """It is changed or not ours, and that was asked for."""
    KEEP = "keep"
    """It is there as it should be; or, when removing, it is not there."""
    REMOVE = "remove"
    REFUSE = "refuse"
    """It is changed or not ours: it stays as it is."""


@dataclass(frozen=True)
class Step:
    """One file. `reason` says why it stays or is replaced, else it is empty."""

    path: Path
    action: Action
    reason: str = ""
    content: bytes = b""


@dataclass(frozen=True)
class Integration:
    """A plan, and after `integrate` what was done."""

    directory: Path
    steps: tuple[Step, ...]

    @property
    def refused(self) -> tuple[Step, ...]:
        """Files that stay though something was to be done about them."""
        return tuple(step for step in self.steps if step.action is Action.REFUSE)


def plan_integration(
    commands: Mapping[str, bytes], directory: Path, *, remove: bool = False, force: bool = False
) -> Integration:
    """What is to be done so that the commands (contents by file name) are in the directory, or gone from it.

    `force` is for files of ours that were changed, and for others' that stand in the way; what is not ours is never
    removed. Raises TargetError when the directory cannot be read.
    """
    decide = _removal if remove else _installation
    steps = [decide(directory / name, content, force=force) for name, content in sorted(commands.items())]
    return Integration(directory, tuple(steps))


def integrate(plan: Integration) -> None:
    """Do what a plan says. Raises TargetError."""
    for step in plan.steps:
        try:
            if step.action is Action.REMOVE:
                step.path.unlink()
            elif step.action in {Action.INSTALL, Action.UPDATE, Action.REPLACE}:
                plan.directory.mkdir(parents=True, exist_ok=True)
                with NewFile(step.path, replace=step.action is not Action.INSTALL) as file:
                    file.write(step.content)
                    file.finish()
        except OSError as error:
            raise TargetError(f"{step.path} cannot be changed: {error.strerror}") from error


def marked(content: bytes) -> bytes:
    """The content as it is installed."""
    body = content.rstrip(b"\n") + b"\n\n"
    return body + _MARK % hashlib.sha256(body).hexdigest().encode()


def _installation(path: Path, content: bytes, *, force: bool) -> Step:
    wanted = marked(content)
    found = _read(path)
    if found is None:
        return Step(path, Action.INSTALL, content=wanted)
    if found == wanted:
        return Step(path, Action.KEEP)
    reason = _obstacle(found)
    if not reason:
        return Step(path, Action.UPDATE, content=wanted)
    return Step(path, Action.REPLACE if force else Action.REFUSE, reason, wanted)


def _removal(path: Path, _content: bytes, *, force: bool) -> Step:
    found = _read(path)
    if found is None:
        return Step(path, Action.KEEP)
    reason = _obstacle(found)
    if not reason or (force and _ANY_MARK in found):
        return Step(path, Action.REMOVE, reason)
    return Step(path, Action.REFUSE, reason)


def _obstacle(found: bytes) -> str:
    """Why a file is not to be touched; empty for one of ours that is as it was installed."""
    parsed = _MARKED.fullmatch(found)
    if parsed is not None and hashlib.sha256(parsed[1]).hexdigest().encode() == parsed[2]:
        return ""
    return "it was changed since it was installed" if _ANY_MARK in found else "it is not of icc-store"


def _read(path: Path) -> bytes | None:
    """The bytes of a file; None where none is, something that is never ours for what is no regular file."""
    if not os.path.lexists(path):
        return None
    if path.is_symlink() or not path.is_file():
        return b""
    try:
        return path.read_bytes()
    except OSError as error:
        raise TargetError(f"{path} cannot be read: {error.strerror}") from error
