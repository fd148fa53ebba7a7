"""Work that nests as deep as directories do, without recursion: Python's stack ends long before a file system's."""

from __future__ import annotations

from collections.abc import Generator

Steps = Generator["Steps", None, None]
"""A work that yields other work to be done before it goes on."""


def run_steps(first: Steps) -> None:
    """Do a work, and all that it yields."""
    waiting = [first]
    while waiting:
        following = next(waiting[-1], None)
        if following is None:
            waiting.pop()
        else:
            waiting.append(following)
