"""What all commands share: options, exit statuses, and the application they talk to."""

from enum import IntEnum
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from backend import settings, wiring
from backend.domain.errors import AutolabelError, BadInput, NotFound, Refused
from backend.ports.application import Backend
from backend.presentation import sentences, terminal

Project = Annotated[
    int, typer.Argument(help="Id of the project, as in its address.", min=1, max=10**18 - 1)
]
Wait = Annotated[bool, typer.Option(help="Follow the job until it ends.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Exit(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3


class Commands(TyperGroup):
    """Print expected errors as one sentence and turn them into an exit status."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refused as exc:
            reasons = "\n".join(f"  - {reason.text}" for reason in exc.reasons)
            terminal.complain(sentences.NOT_STARTED, reasons)
            raise typer.Exit(Exit.REFUSED) from exc
        except (BadInput, NotFound) as exc:
            terminal.complain("Cannot do that", str(exc))
            raise typer.Exit(Exit.USAGE) from exc
        except AutolabelError as exc:
            terminal.complain("Failed", str(exc))
            raise typer.Exit(Exit.FAILED) from exc


def backend(context: typer.Context) -> Backend:
    """Return the application; tests pass a fake one as the context's object."""
    given: Backend | None = context.obj
    return given or wiring.backend(settings.load())
