"""Commands about audits."""

from pathlib import Path
from typing import Annotated

import typer

from backend.cli.options import Exit
from backend.policies.certification.audit_certificate import problems
from backend.presentation import terminal
from backend.stores.audits import read_certificate

commands = typer.Typer()


@commands.command()
def verify(
    certificate: Annotated[
        Path, typer.Argument(help="A certificate.json, beside the report of a job.")
    ],
) -> None:
    """Check a certificate: sample, test and accepted labels, in exact arithmetic."""
    file = read_certificate(certificate)
    found = problems(file)
    if found:
        terminal.complain("The certificate does not hold", "\n".join(f"  - {one}" for one in found))
        raise typer.Exit(Exit.FAILED)
    terminal.say(f"The certificate holds. {file.certificate.sentence}")
