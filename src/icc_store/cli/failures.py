"""What ended a command, turned into one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING

import click

from icc_store import errors
from icc_store.cli.harmless import harmless
from icc_store.errors import DiskFull, IccStoreError, Interrupted, UsageError

if TYPE_CHECKING:
    from icc_store.cli.context import Context

_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))
_OF_MISTAKES = frozenset((errno.EBADF, errno.EFAULT, errno.EINVAL, errno.EIO, errno.EMFILE, errno.ENFILE))
"""What the system says when the program, or the machine, is at fault."""


def exit_codes() -> dict[int, str]:
    """Every exit code and its meaning, from the error classes."""
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, IccStoreError)]
    return {0: "done"} | {one.exit_code: one.meaning for one in sorted(classes, key=lambda one: one.exit_code)}


def report(problem: BaseException, context: Context) -> int:
    """Say on stderr what ended the command. Returns the exit code."""
    context.monitor.finish()
    if isinstance(problem, BrokenPipeError):
        discard_stdout(context)  # whoever read our output has gone; there is nobody to tell
        return IccStoreError.exit_code
    error = as_error(problem)
    if is_unexpected(problem):
        error = _with_report(error, problem, context)
    try:
        context.stdout.flush()
        context.output.emit_error(context.command, error)
        context.stdout.flush()
    except (OSError, ValueError) as second:
        discard_stdout(context)
        error = error if isinstance(problem, IccStoreError) else as_error(second)
    try:
        if context.settings.verbose:
            import traceback  # only for a failure that somebody wants to see whole

            context.stderr.write(harmless("".join(traceback.format_exception(problem))))
        context.stderr.write(harmless("icc-store: " + " ".join(str(error).split("\n"))) + "\n")
        context.stderr.flush()
    except OSError:
        pass  # nobody reads stderr either; the exit code still says it
    return error.exit_code


def as_error(problem: BaseException) -> IccStoreError:
    """The error of our own that says what happened."""
    if isinstance(problem, IccStoreError):
        return problem
    if isinstance(problem, click.ClickException):
        return _usage(problem)
    if isinstance(problem, KeyboardInterrupt | click.exceptions.Abort):
        by = f" by {problem}" if str(problem) else ""
        return Interrupted(f"interrupted{by}", hint="run it again; a snapshot reuses what was stored so far")
    if isinstance(problem, MemoryError):
        return IccStoreError("there is not enough memory")
    if isinstance(problem, OSError):
        return _system(problem)
    if isinstance(problem, SystemExit):
        return IccStoreError("the command ended by itself", hint="this is a mistake in icc-store; please report it")
    return IccStoreError(
        f"internal error: {type(problem).__name__}",  # its own message may quote a file, and stderr may be a log
        hint="this is a mistake in icc-store; -v shows where, please report it",
    )


def is_unexpected(problem: BaseException) -> bool:
    """Whether somebody will want to know how it came to that: no error of ours, no mistake or wish of the user's."""
    if isinstance(problem, OSError):
        return problem.errno in _OF_MISTAKES
    return not isinstance(problem, IccStoreError | click.ClickException | click.exceptions.Abort | KeyboardInterrupt)


def _with_report(error: IccStoreError, problem: BaseException, context: Context) -> IccStoreError:
    """The same error, its hint naming the report that was written about it."""
    try:
        from icc_store.cli.failure_report import write

        path = write(problem, context)
    except Exception:  # noqa: BLE001 - a report that cannot be written must not hide what it was about
        return error
    hint = f"what was stored stays; {path} has what is known about it, please report it with that"
    return type(error)(error.message, hint=hint)


def _usage(problem: click.ClickException) -> UsageError:
    context = getattr(problem, "ctx", None)
    if isinstance(problem, click.exceptions.NoArgsIsHelpError):
        return UsageError("no command given", hint="icc-store --help lists them")
    message = problem.format_message().strip().rstrip(".").replace(". (", " (")
    command = context.command_path if context is not None else "icc-store"
    return UsageError(message[:1].lower() + message[1:], hint=f"see {command} --help")


def _system(problem: OSError) -> IccStoreError:
    name = problem.filename
    where = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes) else ""
    reason = problem.strerror or str(problem)
    if problem.errno in _FULL:
        return DiskFull(f"{where}no space left on the device", hint="make room and run it again")
    return IccStoreError(f"{where}{reason}")


def discard_stdout(context: Context) -> None:
    """Let what is still buffered for stdout go nowhere, so that the interpreter's own flush does not complain."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, context.stdout.fileno())
        os.close(null)
    except (OSError, ValueError):
        pass  # stdout is not a file of this process; nothing is flushed into it


def stop_listening() -> None:
    """A second request to end the process ends it at once: what is committed is safe at every moment."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
