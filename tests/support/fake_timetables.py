"""Stand-ins for `systemctl` and `crontab`: real programs on a PATH of their own that keep their state in files."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_SYSTEMCTL = """#!/bin/sh
# What the user's systemd would do, as far as files show it.
echo "$*" >> "$FAKE_STATE/systemctl.log"
units="${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user"
[ "$1" = --user ] && shift || exit 1
command="$1"; shift
[ "$1" = --now ] && shift
[ "$1" = --quiet ] && shift
case "$command" in
    show-environment|daemon-reload) ;;
    enable) mkdir -p "$units/timers.target.wants" && ln -sf "../$1" "$units/timers.target.wants/$1" ;;
    restart) [ -e "$units/$1" ] && touch "$FAKE_STATE/active-$1" ;;
    disable) rm -f "$units/timers.target.wants/$1" "$FAKE_STATE/active-$1" ;;
    is-active) [ -e "$FAKE_STATE/active-$1" ] ;;
    *) exit 1 ;;
esac
"""

_CRONTAB = """#!/bin/sh
# A crontab in a file, with the answers of cronie.
table="$FAKE_STATE/crontab"
[ -e "$FAKE_STATE/crontab-refuses" ] && { echo "you may not use this program" >&2; exit 1; }
case "$1" in
    -l) [ -e "$table" ] && exec cat "$table"; echo "no crontab for ada" >&2; exit 1 ;;
    -r) rm "$table" ;;
    -) cat > "$table.new" && mv "$table.new" "$table" ;;
    *) exit 2 ;;
esac
"""


class FakeMachine:
    """A home and a PATH on which only the stand-ins are found that a test asks for."""

    def __init__(self, top: Path, *, systemd: bool = False, cron: bool = False) -> None:
        self.home = top / "home"
        self.state = top / "state"
        self.bin = top / "bin"
        for directory in (self.home, self.state, self.bin):
            directory.mkdir(parents=True, exist_ok=True)
        for name, text, wanted in (("systemctl", _SYSTEMCTL, systemd), ("crontab", _CRONTAB, cron)):
            if wanted:
                self.add(name, text)
        for name in ("cat", "mkdir", "ln", "touch", "rm", "mv"):
            (self.bin / name).symlink_to(_found(name))

    def add(self, name: str, text: str) -> None:
        """Put a program on the PATH."""
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    @property
    def environ(self) -> Mapping[str, str]:
        """What a process there sees."""
        return {"HOME": str(self.home), "PATH": str(self.bin), "FAKE_STATE": str(self.state), "TZ": "UTC"}

    @property
    def units(self) -> Path:
        """Where the units of the user's systemd are."""
        return self.home / ".config/systemd/user"

    @property
    def crontab(self) -> Path:
        """The crontab."""
        return self.state / "crontab"


def _found(name: str) -> str:
    for directory in os.environ["PATH"].split(os.pathsep):
        if os.access(os.path.join(directory, name), os.X_OK):
            return os.path.join(directory, name)
    sys.exit(f"{name} is not on the PATH")
