"""The `autolabel` command. Exit status: 0 done, 1 failed, 2 usage, 3 refused by a precondition.

The commands are grouped by subject: `servers`, `setup`, `jobs`, `folders`, `labels`, `audits`,
`versions`.
"""

import logging

import typer

from backend.cli import audits, folders, jobs, labels, servers, setup, versions
from backend.cli.options import Commands
from backend.processes import logs

app = typer.Typer(
    name="autolabel",
    cls=Commands,
    help="Auto-labeling with active learning for images and texts in Label Studio.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for part in (servers, setup, jobs, folders, audits, versions):
    app.add_typer(part.commands)
app.add_typer(labels.commands, name="labels")


@app.callback()
def prepare(context: typer.Context) -> None:
    """Auto-labeling with active learning for images and texts in Label Studio."""
    serves = context.invoked_subcommand in servers.NAMES
    logs.configure(logging.INFO if serves else logging.WARNING)
    if serves:
        logs.log_errors_of_threads()


def main() -> None:
    """Run the command line."""
    app()
