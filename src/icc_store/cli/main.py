"""The program `icc-store`: names of commands, global options, and the one place that exits.

Start-up counts, since hooks run the program at every turn of an agent. So this module knows of each command no more
than its name and one line; the command's own module, and everything that needs, is imported when it is run.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

import click

from icc_store.cli.command import HELP_OPTION, write_examples
from icc_store.cli.context import Context
from icc_store.cli.failures import exit_codes, report, stop_listening
from icc_store.cli.settings import global_options
from icc_store.errors import DamageError
from icc_store.version import VERSION

PROGRAM = "icc-store"
COMPLETION_VARIABLE = "_ICC_STORE_COMPLETE"

COMMANDS: dict[str, dict[str, str]] = {
    "Take snapshots": {
        "init": "Make a repository in a missing or empty directory.",
        "snapshot": "Take a snapshot of files and directories.",
        "import": "Make a snapshot of a tar archive.",
        "watch": "Take a snapshot whenever a memory has changed and settled.",
        "hook": "Take a pinned, proven snapshot before a dangerous step.",
        "memory-backup": "What /icc-memory-backup runs: a snapshot of the agent memory.",
    },
    "Look": {
        "list": "List the snapshots.",
        "show": "Show one snapshot in full.",
        "manifest": "Print the manifest of a memory's snapshot.",
        "ls": "List what a snapshot holds.",
        "cat": "Write a file of a snapshot to stdout.",
        "find": "Find paths in all snapshots.",
        "diff": "Show what changed between two snapshots, or since one.",
        "history": "Show every version of an entity or file.",
        "blame": "Show since when each field, item or line is there.",
        "search": "Find entities, living or gone, that contain a text.",
        "stats": "Show what the repository holds and what it saves.",
        "health": "Say how the backups are doing, and what would help.",
    },
    "Get back": {
        "restore": "Restore a snapshot, or parts of it.",
        "rollback": "Undo the last restore.",
        "memory-restore": "What /icc-memory-restore runs: the agent memory as it was.",
        "export": "Write a snapshot as a tar archive.",
    },
    "Keep in order": {
        "tag": "Add tags to a snapshot, or remove them.",
        "pin": "Keep a snapshot whatever the retention rules say.",
        "note": "Write a note on a snapshot.",
        "forget": "Forget snapshots; gc removes them a day later.",
        "undelete": "Bring forgotten snapshots back.",
        "gc": "Apply the retention rules and free what nothing needs.",
        "optimize": "Write what is stored anew, for size.",
        "copy": "Copy the repository, or what is new, to a second one.",
        "validate": "Check the files of a memory by its rules.",
        "verify": "Read and check everything that is stored.",
        "repair": "Make the index and the lists of a damaged repository anew.",
        "salvage": "Make a new repository from what is left of a damaged one.",
        "parity": "Keep what brings damaged blocks back, or show it.",
        "drill": "Restore a snapshot to nowhere, and compare all of it.",
        "schedule": "Let the machine do what is due: install, show, remove.",
        "run-due": "Do what is due, and nothing else.",
        "config": "Show every setting and who says so.",
        "integrate": "Install slash commands for an agent.",
        "completion": "Print the shell completion for bash, zsh or fish.",
    },
}
"""Every command with one line on what it does, in the order and under the titles of the help."""

HELP_LINES = {name: line for section in COMMANDS.values() for name, line in section.items()}

EXAMPLES = (
    "icc-store snapshot                        the memory of this machine's agent",
    "icc-store snapshot ~/notes --name friday  a directory, under a name",
    "icc-store list --last 5                   the newest five",
    "icc-store diff latest                     what changed since the newest",
    "icc-store restore latest --target back    all of it, into another directory",
)

DESCRIPTION = """A content-addressed, deduplicating backup store.

Without --repo, the repository is the one that ICC_STORE_REPO or config.toml names, else the one in
~/.claude/memory/backups/store or $XDG_DATA_HOME/icc-store/store."""


class Group(click.Group):
    """Finds commands by name and imports the one that is run."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return HELP_OPTION

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(HELP_LINES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in HELP_LINES:
            if ctx.resilient_parsing:
                return None
            raise click.exceptions.NoSuchCommand(cmd_name, possibilities=list(HELP_LINES), ctx=ctx)
        if ctx.obj is not None:
            ctx.obj.command = cmd_name
        return load(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, section in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(section.items()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_examples(formatter, EXAMPLES)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(code), meaning) for code, meaning in exit_codes().items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        items = [CompletionItem(name, help=line) for name, line in HELP_LINES.items() if name.startswith(incomplete)]
        return items + click.Command.shell_complete(self, ctx, incomplete)


def load(name: str) -> click.Command:
    """Import the module of one command."""
    module = importlib.import_module(f"icc_store.cli.commands.{module_name(name)}")
    command: click.Command = module.command
    command.name = name
    return command


def module_name(command: str) -> str:
    """`import` is a reserved word, so its module is `import_`; a dash becomes an underscore."""
    return "import_" if command == "import" else command.replace("-", "_")


def _print_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        click.echo(f"{PROGRAM} {VERSION}")
        context.exit()


VERSION_OPTION = click.Option(
    ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)

cli = Group(
    PROGRAM,
    help=DESCRIPTION,
    params=[*global_options(hidden=False), VERSION_OPTION],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND [ARGS]...",
)


class Terminated(KeyboardInterrupt):
    """The system asked the process to stop, as a Ctrl-C would."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit.

    Everything is closed and flushed by then. What the interpreter would still do is free its memory piece by piece,
    which the kernel does at once: 8 of 60 ms.
    """
    code = run(sys.argv[1:] if arguments is None else arguments, os.environ)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            code = code or 1
    os._exit(code)


def run(arguments: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one command line. Returns the exit code: 0, or the one of the error that ended it or that it met."""
    listen_to_signals()
    with Context.of_process(environ) as context:
        try:
            if COMPLETION_VARIABLE in environ:
                return complete(context, environ[COMPLETION_VARIABLE])
            invoke(context, list(arguments))
            context.stdout.flush()
        except click.exceptions.Exit as done:
            context.stdout.flush()
            return done.exit_code
        except click.ClickException as error:
            # What could not be parsed may have had --json in it, before or after the mistake.
            context.settings.json = context.settings.json or "--json" in arguments
            return report(error, context)
        except BaseException as error:  # noqa: BLE001 - the one place that turns whatever ended a command into an exit code
            return report(error, context)
    return DamageError.exit_code if context.met_damage else 0


def invoke(context: Context, arguments: list[str]) -> None:
    """Parse the command line and run its command. `click.main` would print errors and exit by itself."""
    with cli.make_context(PROGRAM, arguments, obj=context) as parsed:
        cli.invoke(parsed)


def complete(context: Context, instruction: str) -> int:
    """Answer the shell's completion script."""
    from click.shell_completion import shell_complete

    return shell_complete(cli, {"obj": context}, PROGRAM, COMPLETION_VARIABLE, instruction)


def listen_to_signals() -> None:
    """A request to end the process interrupts it like Ctrl-C, so that everything is left in order."""

    def stop(number: int, _frame: FrameType | None) -> None:
        stop_listening()
        raise Terminated(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
