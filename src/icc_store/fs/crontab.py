"""Jobs as lines of this user's crontab, between marks. Every other line stays as it is, to the byte."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Mapping

from icc_store.errors import IccStoreError, UsageError
from icc_store.fs.timetable import Job, Listed, Piece, ask, must
from icc_store.limits import MAX_CRONTAB_LINE

_NONE_YET = ("no crontab for", "can't open")
"""What `crontab -l` says when there is none: cronie and vixie, busybox."""


class Crontab:
    """The crontab of this user."""

    title = "crontab"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._program = shutil.which("crontab", path=environ.get("PATH"))

    def available(self) -> bool:
        """Whether there is a `crontab` command."""
        return self._program is not None

    def listed(self) -> list[Listed]:
        """The jobs between our marks."""
        if self._program is None:
            return []
        text = self._read()
        return [
            Listed(name.decode(), note.decode("utf-8", "replace"), self.title, active=True)
            for name, note in re.findall(rb"^# >>> (icc-store-\w+) >>> (.*)$", text, re.MULTILINE)
            if _block(name.decode()).search(text)
        ]

    def pieces(self, job: Job) -> list[Piece]:
        """The lines. Raises UsageError when they are too long for a crontab."""
        variables = [f"{name}={value}" for name, value in job.environment.items()]
        words = ["env", *variables, *job.command] if variables else job.command
        line = f"{job.minute} * * * * {' '.join(map(_quoted, words))}"
        if len(line) > MAX_CRONTAB_LINE:
            raise UsageError(
                f"a line of a crontab has at most {MAX_CRONTAB_LINE} characters",
                hint="shorter paths, or fewer of them, fit",
            )
        return [Piece(self.title, f"# >>> {job.name} >>> {job.note}\n{line}\n# <<< {job.name} <<<\n")]

    def holds(self, job: Job) -> bool:
        """Whether these very lines are there."""
        found = _block(job.name).search(self._read())
        return found is not None and found[0] == self.pieces(job)[0].text.encode()

    def install(self, job: Job) -> None:
        """Write the lines, in place of those that stand there. Raises IccStoreError."""
        lines = self.pieces(job)[0].text.encode()
        text = self._read()
        found = _block(job.name).search(text)
        if found:
            self._write(text[: found.start()] + lines + text[found.end() :])
        else:
            self._write(text + (b"\n" if text and not text.endswith(b"\n") else b"") + lines)

    def remove(self, name: str) -> None:
        """Remove the lines, and the crontab when nothing else was in it."""
        text = self._read()
        rest = _block(name).sub(b"", text)
        if rest == text:
            return
        if rest:
            self._write(rest)
        else:
            must(self._found(), ["-r"], self._environ)

    def _read(self) -> bytes:
        """The whole crontab. An answer that is not understood is an error: it must not be taken for an empty one."""
        answer = ask(self._found(), ["-l"], self._environ)
        if answer.code == 0:
            return answer.out
        if any(words in answer.err for words in _NONE_YET):
            return b""
        raise IccStoreError(f"the crontab cannot be read: {answer.err or answer.code}", hint="nothing was changed")

    def _write(self, text: bytes) -> None:
        must(self._found(), ["-"], self._environ, text)

    def _found(self) -> str:
        if self._program is None:
            raise IccStoreError("there is no `crontab` command")
        return self._program


def _block(name: str) -> re.Pattern[bytes]:
    """The lines of a job with their marks. A mark whose end is gone has none, so that nothing else is taken for it."""
    mark = re.escape(name.encode())
    return re.compile(rb"^# >>> %b >>> .*\n(?:(?!# >>> ).*\n)*?# <<< %b <<<\n" % (mark, mark), re.MULTILINE)


def _quoted(word: str) -> str:
    """A word for the shell, past cron, where a bare `%` is the end of the line and a backslash keeps it."""
    return shlex.quote(word).replace("%", "'\\%'")
