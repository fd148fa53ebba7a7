"""Where results are printed: as text for people, or as JSON whose fields docs/cli.md describes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TextIO

from icc_store.cli.harmless import harmless
from icc_store.cli.settings import Settings
from icc_store.errors import IccStoreError
from icc_store.model.paths import display

SCHEMA = 1
"""The version of the JSON documents. It grows when a field changes its meaning or goes, not when one is added."""

_LISTED_WARNINGS = 20

Document = dict[str, Any]


class Output:
    """Prints one result on stdout. What is about the run, and not its result, goes to stderr."""

    def __init__(
        self,
        settings: Settings,
        stdout: TextIO,
        stderr: TextIO,
        environ: Mapping[str, str],
        *,
        clear: Callable[[], None] = lambda: None,
    ) -> None:
        """`clear` removes what is drawn on the terminal; it is called before anything is printed there."""
        self._settings = settings
        self._clear = clear
        self._stdout = stdout
        self._stderr = stderr
        self._environ = environ
        self.printed_json = False

    @property
    def width(self) -> int | None:
        """Columns of the terminal or of `COLUMNS`; None where lines may be as long as they need."""
        given = self._environ.get("COLUMNS", "")
        if given.isdecimal() and int(given) > 0:
            return int(given)
        if not self._stdout.isatty():
            return None
        try:
            return os.get_terminal_size(self._stdout.fileno()).columns or 80
        except OSError:
            return 80

    def emit(
        self,
        command: str,
        document: Mapping[str, Any],
        human: Callable[[], Iterable[str]],
        *,
        summary: bool = False,
    ) -> None:
        """Print one result: `document` as JSON, or the lines of `human`. `--quiet` leaves out a mere summary."""
        if self._settings.json:
            self.printed_json = True
            self._line(to_json({"schema": SCHEMA, "command": command, **document}, indent=1))
        elif not (summary and self._settings.quiet):
            self._lines(human())

    def emit_rows(
        self,
        command: str,
        rows: Iterable[Any],
        *,
        as_json: Callable[[Any], Mapping[str, Any]],
        as_text: Callable[[Iterable[Any]], Iterable[str]],
        key: str,
        head: Mapping[str, Any] | None = None,
    ) -> None:
        """Print rows as they come: as lines, as JSON lines, or as a JSON document that holds them under `key`.

        `head` holds the document's other fields.
        """
        if self._settings.json_lines:
            for row in rows:
                self._line(to_json(as_json(row)))
        elif self._settings.json:
            self._json_rows(to_json({"schema": SCHEMA, "command": command, **(head or {})}), rows, as_json, key)
        else:
            self._lines(as_text(rows))

    def emit_error(self, command: str | None, error: IccStoreError) -> None:
        """Print the error as a JSON document, where `--json` asked for one and none was begun."""
        if self._settings.json and not self.printed_json:
            self._line(to_json({"schema": SCHEMA, "command": command, "error": error_fields(error)}, indent=1))

    def warnings(self, warnings: Sequence[tuple[bytes, str]]) -> None:
        """List on stderr the files that something was wrong with; all of them with `--verbose`."""
        self._clear()
        shown = warnings if self._settings.verbose else warnings[:_LISTED_WARNINGS]
        for path, message in shown:
            said = harmless(f"{display(path)}: {message}" if path else message)
            self._stderr.write(f"icc-store: {said}\n")
        if len(shown) < len(warnings):
            more = len(warnings) - len(shown)
            self._stderr.write(f"icc-store: and {more} more (-v lists them all)\n")

    def write_bytes(self, pieces: Iterable[bytes]) -> None:
        """Write raw bytes to stdout."""
        self._clear()
        self._stdout.flush()
        descriptor = self._stdout.fileno()
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[os.write(descriptor, view) :]

    def _json_rows(self, head: str, rows: Iterable[Any], as_json: Callable[[Any], Mapping[str, Any]], key: str) -> None:
        """A document whose rows are written as they come. An error between two of them still leaves it well-formed."""
        texts = (to_json(as_json(row)) for row in rows)
        first = next(texts, None)  # before anything is printed: most errors come here
        self.printed_json = True
        self._write(f'{head[:-1]}, "{key}": [')
        if first is not None:
            self._write(f"\n{first}")
        try:
            for text in texts:
                self._write(f",\n{text}")
        except IccStoreError as error:
            self._line(f'\n], "error": {to_json(error_fields(error))}}}')
            raise
        self._line("\n]}")

    def _lines(self, lines: Iterable[str]) -> None:
        """Text for people. A stored name or file must not give orders to their terminal."""
        for line in lines:
            self._line(harmless(line))

    def _line(self, text: str) -> None:
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        self._clear()
        self._stdout.write(text)


def to_json(value: Mapping[str, Any], *, indent: int | None = None) -> str:
    """JSON in ASCII, right for every terminal and locale."""
    import json  # only when it is asked for: 2 ms at start-up

    return json.dumps(value, indent=indent)


def error_fields(error: IccStoreError) -> Document:
    """An error for JSON."""
    return {
        "class": type(error).__name__,
        "message": error.message,
        "hint": error.hint,
        "exit_code": error.exit_code,
    }


def path_fields(path: bytes, name: str = "path") -> Document:
    """A path for JSON: bytes that are not UTF-8 as \\xNN, and then all its bytes under `<name>_b64` as well."""
    fields: Document = {name: json_text(path)}
    if not _is_text(path):
        fields[f"{name}_b64"] = _base64(path)
    return fields


def paths_fields(paths: Iterable[bytes], name: str = "paths") -> Document:
    """The same for several paths; `<name>_b64` has all of them where one needs it."""
    paths = list(paths)
    fields: Document = {name: [json_text(path) for path in paths]}
    if not all(_is_text(path) for path in paths):
        fields[f"{name}_b64"] = [_base64(path) for path in paths]
    return fields


def warning_fields(warnings: Iterable[tuple[bytes, str]]) -> list[Document]:
    """Warnings about files, for JSON."""
    return [path_fields(path) | {"message": message} for path, message in warnings]


def json_text(path: bytes) -> str:
    """A path as JSON holds it: bytes that are not UTF-8 as \\xNN, everything else as it is."""
    return path.decode("utf-8", "backslashreplace")


def _is_text(path: bytes) -> bool:
    try:
        path.decode()
    except UnicodeDecodeError:
        return False
    return True


def _base64(path: bytes) -> str:
    import base64  # only for names that are not UTF-8

    return base64.b64encode(path).decode("ascii")
