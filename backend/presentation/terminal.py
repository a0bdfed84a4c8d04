"""Write to the terminal: text, tables, JSON for scripts, and spinners."""

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console, RenderableType
from rich.markup import escape

from backend.presentation.serializers import json_text

Value = TypeVar("Value")

out = Console()
err = Console(stderr=True)


def say(text: str) -> None:
    """Print a line of plain text."""
    out.print(escape(text))


def write(text: str) -> None:
    """Print the text unchanged, for files and other programs."""
    sys.stdout.write(text)


def complain(head: str, text: str) -> None:
    """Print an error on standard error, its head in red."""
    separator = "\n" if "\n" in text or text.startswith(" ") else " "
    message = f"[bold red]{escape(head)}:[/]{separator}{escape(text)}"
    err.print(message, highlight=False, soft_wrap=True)


def show(value: Value, as_json: bool, lines: Callable[[Value], Iterable[RenderableType]]) -> None:
    """Print a value on standard output, as JSON or as the lines that `lines` makes of it."""
    if as_json:
        write(json_text(value, indent=2).decode() + "\n")
        return
    for line in lines(value):
        out.print(line, highlight=False)


@contextmanager
def waiting(text: str) -> Generator[None]:
    """Show what is being waited for: with a spinner on a terminal, as a plain line otherwise."""
    if out.is_terminal:
        with out.status(escape(text)):
            yield
    else:
        say(text)
        yield
