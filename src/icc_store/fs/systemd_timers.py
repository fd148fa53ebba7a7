"""Jobs as timers of this user's systemd: a service and a timer each, in the user's own directory of units."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from icc_store.errors import IccStoreError
from icc_store.fs.timetable import Job, Listed, Piece, ask, must

_NOTE = "# icc-store: "
_HEAD = "# Written by `icc-store schedule install`; `icc-store schedule remove` takes it away."


class SystemdTimers:
    """Timers of `systemctl --user`; `units` is the directory of this user's units."""

    title = "systemd user timer"

    def __init__(self, units: Path, environ: Mapping[str, str]) -> None:
        self._units = units
        self._environ = environ
        self._program = shutil.which("systemctl", path=environ.get("PATH"))

    def available(self) -> bool:
        """Whether this user's systemd answers; in a container or over `su` there may be none."""
        return self._program is not None and ask(self._program, ["--user", "show-environment"], self._environ).code == 0

    def listed(self) -> list[Listed]:
        """The timers in the directory, whoever may have switched them off."""
        found = []
        for timer in sorted(self._units.glob("icc-store-*.timer")):
            lines = timer.read_text("utf-8", "replace").splitlines()
            notes = [line.removeprefix(_NOTE) for line in lines if line.startswith(_NOTE)]
            service = timer.with_suffix(".service").exists()
            if notes:
                found.append(Listed(timer.stem, notes[0], str(timer), service and self._is_active(timer.name)))
        return found

    def pieces(self, job: Job) -> list[Piece]:
        """The two units."""
        title = _escaped(job.title)
        environment = "".join(f"Environment={_quoted(f'{name}={one}')}\n" for name, one in job.environment.items())
        command = " ".join([_quoted(job.command[0]), *(_quoted(word, variables=True) for word in job.command[1:])])
        service = (
            f"{_HEAD}\n[Unit]\nDescription={title}\n\n"
            f"[Service]\nType=oneshot\n{environment}ExecStart={command}\nNice=10\n"
        )
        timer = (
            f"{_HEAD}\n{_NOTE}{job.note}\n[Unit]\nDescription={title}\n\n"
            f"[Timer]\nOnCalendar=*-*-* *:{job.minute:02}:00\nPersistent=true\n\n[Install]\nWantedBy=timers.target\n"
        )
        return [
            Piece(str(self._units / f"{job.name}.service"), service),
            Piece(str(self._units / f"{job.name}.timer"), timer),
        ]

    def holds(self, job: Job) -> bool:
        """Whether these very units are there, and the timer runs."""
        try:
            same = all(Path(piece.where).read_bytes() == piece.text.encode() for piece in self.pieces(job))
        except OSError:
            return False
        return same and self._is_active(f"{job.name}.timer")

    def install(self, job: Job) -> None:
        """Write both units and start the timer. Raises IccStoreError."""
        self._units.mkdir(parents=True, exist_ok=True)
        for piece in self.pieces(job):
            Path(piece.where).write_bytes(piece.text.encode())
        self._control("daemon-reload")
        self._control("enable", f"{job.name}.timer")
        self._control("restart", f"{job.name}.timer")

    def remove(self, name: str) -> None:
        """Stop the timer and remove both units."""
        timer, service = self._units / f"{name}.timer", self._units / f"{name}.service"
        answers = self.available()
        if answers and timer.exists():
            self._control("disable", "--now", timer.name)
        wanted = self._units / "timers.target.wants" / timer.name  # `disable` removes it, when there is one to ask
        for path in (wanted, timer, service):
            path.unlink(missing_ok=True)
        if answers:
            self._control("daemon-reload")

    def _is_active(self, timer: str) -> bool:
        return (
            self._program is not None
            and ask(self._program, ["--user", "is-active", "--quiet", timer], self._environ).code == 0
        )

    def _control(self, *arguments: str) -> None:
        if self._program is None:
            raise IccStoreError("systemctl is not there")
        must(self._program, ["--user", *arguments], self._environ)


def _escaped(text: str) -> str:
    """Text in a unit, where `%` begins a specifier."""
    return text.replace("%", "%%")


def _quoted(word: str, *, variables: bool = False) -> str:
    """One word of a command line in a unit; `variables`: where `$` would begin a variable."""
    word = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_escaped(word.replace("$", "$$") if variables else word)}"'
