"""One file per command, imported when that command is run and never before.

A command's module is named like the command (`import_.py` for a reserved word) and registered by name in
`icc_store.cli.main`. It holds two things that others look for:

    command    the click command, made with `click.command(cls=Command, examples=(...))`; its function takes a
               `Context` through `@click.pass_obj`, calls one operation, and prints with `context.output`
    DOCUMENT   what `--json` prints, field by field, for docs/cli.md; `schema` and `command` go without saying

It raises errors of `icc_store.errors` and never exits by itself. A run that left files out prints its result first
and then raises PartialResult; `icc_store.cli.main` turns every error into a line on stderr and an exit code.
"""
