"""Results as text and JSON, whatever the names are and wherever it stops."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest

from icc_store.cli.output import Output, path_fields, paths_fields, warning_fields
from icc_store.cli.settings import Settings
from icc_store.errors import BlockDamaged, SnapshotNotFound


def output(environ: dict[str, str] | None = None, **given: bool) -> tuple[Output, io.StringIO, io.StringIO]:
    settings = Settings()
    for name, value in given.items():
        setattr(settings, name, value)
    out, err = io.StringIO(), io.StringIO()
    return Output(settings, out, err, environ or {}), out, err


def rows(*numbers: int, broken: bool = False) -> Iterator[int]:
    yield from numbers
    if broken:
        raise BlockDamaged("a block is damaged", hint="do this")


def emit_rows(to: Output, source: Iterator[int]) -> None:
    to.emit_rows("ls", source, as_json=lambda n: {"n": n}, as_text=lambda ns: map(str, ns), key="rows", head={"a": 1})


def test_one_result_in_two_forms() -> None:
    """The document has schema and command first; the text has its lines."""
    to, out, _ = output(json=True)
    to.emit("show", {"a": 1}, lambda: ["a is 1"])
    assert list(json.loads(out.getvalue()).items()) == [("schema", 1), ("command", "show"), ("a", 1)]
    to, out, _ = output()
    to.emit("show", {"a": 1}, lambda: ["a is 1"])
    assert out.getvalue() == "a is 1\n"


def test_quiet_leaves_out_summaries_only() -> None:
    """`-q` silences what only says that something was done, never what was asked for."""
    to, out, _ = output(quiet=True)
    to.emit("init", {}, lambda: ["made"], summary=True)
    to.emit("show", {}, lambda: ["this"])
    assert out.getvalue() == "this\n"


@pytest.mark.parametrize("numbers", [(), (1,), (1, 2, 3)])
def test_rows_in_three_forms(numbers: tuple[int, ...]) -> None:
    """Rows are the same as text, as JSON lines and in a document."""
    to, out, _ = output()
    emit_rows(to, rows(*numbers))
    assert out.getvalue().split() == [str(n) for n in numbers]
    to, out, _ = output(json_lines=True)
    emit_rows(to, rows(*numbers))
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [{"n": n} for n in numbers]
    to, out, _ = output(json=True)
    emit_rows(to, rows(*numbers))
    assert json.loads(out.getvalue()) == {"schema": 1, "command": "ls", "a": 1, "rows": [{"n": n} for n in numbers]}


def test_an_error_before_the_first_row() -> None:
    """Nothing was printed yet, so the error is a document of its own."""
    to, out, _ = output(json=True)
    with pytest.raises(BlockDamaged) as error:
        emit_rows(to, rows(broken=True))
    assert out.getvalue() == ""
    to.emit_error("ls", error.value)
    assert json.loads(out.getvalue())["error"] == {
        "class": "BlockDamaged",
        "message": "a block is damaged",
        "hint": "do this",
        "exit_code": 6,
    }


def test_an_error_between_rows() -> None:
    """The document is closed with the error in it, and no second one follows."""
    to, out, _ = output(json=True)
    with pytest.raises(BlockDamaged) as error:
        emit_rows(to, rows(1, 2, broken=True))
    to.emit_error("ls", error.value)
    document = json.loads(out.getvalue())
    assert document["rows"] == [{"n": 1}, {"n": 2}]
    assert document["error"]["class"] == "BlockDamaged"


def test_no_error_document_after_a_result() -> None:
    """What was printed stays the only document, even when the command then fails."""
    to, out, _ = output(json=True)
    to.emit("snapshot", {}, list)
    to.emit_error("snapshot", SnapshotNotFound("x"))
    assert json.loads(out.getvalue()) == {"schema": 1, "command": "snapshot"}


def test_names_give_no_orders_to_the_terminal() -> None:
    """Control characters in text are shown, not sent; tabs are text."""
    to, out, _ = output()
    to.emit("show", {}, lambda: ["a\x1b[31m\x07\x9b\tb\r"])
    assert out.getvalue() == "a\\x1b[31m\\x07\\x9b\tb\\x0d\n"


def test_paths_in_json() -> None:
    """Valid UTF-8 is a text as it is, all else as \\xNN with its bytes in base64 beside it."""
    assert path_fields("größe\n".encode()) == {"path": "größe\n"}
    assert path_fields(b"a\xff", "target") == {"target": "a\\xff", "target_b64": "Yf8="}
    assert paths_fields([b"a", b"b"]) == {"paths": ["a", "b"]}
    assert paths_fields([b"a", b"\xff"]) == {"paths": ["a", "\\xff"], "paths_b64": ["YQ==", "/w=="]}
    assert warning_fields([(b"a", "bad")]) == [{"path": "a", "message": "bad"}]


def test_what_is_drawn_is_cleared_first() -> None:
    """Before a line is printed, the progress line on the same terminal goes."""
    out, err, calls = io.StringIO(), io.StringIO(), []
    to = Output(Settings(), out, err, {}, clear=lambda: calls.append(len(out.getvalue()) + len(err.getvalue())))
    to.emit("show", {}, lambda: ["abc"])
    to.warnings([(b"", "bad")])
    assert calls == [0, 4]


def test_warnings_are_listed_up_to_a_bound() -> None:
    """Twenty files are named and the others counted; `-v` names all."""
    many = [(b"f%d" % n, "gone") for n in range(25)]
    to, _, err = output()
    to.warnings(many)
    lines = err.getvalue().splitlines()
    assert (len(lines), lines[0]) == (21, "icc-store: f0: gone")
    assert "5 more" in lines[-1]
    to, _, err = output(verbose=True)
    to.warnings(many)
    assert len(err.getvalue().splitlines()) == 25


@pytest.mark.parametrize(("columns", "width"), [("40", 40), ("", None), ("0", None), ("wide", None)])
def test_the_width_without_a_terminal(columns: str, width: int | None) -> None:
    """COLUMNS bounds tables; without it and without a terminal nothing is cut off."""
    assert output({"COLUMNS": columns})[0].width == width
