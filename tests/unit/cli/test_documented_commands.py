"""Each `autolabel` command in the documentation exists, with the options that stand there."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from backend.cli.commands import app

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```(?:sh|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBERS = {"PROJECT": "7", "N": "7", "PORT": "9090"}


def commands(page: Path) -> list[str]:
    lines = [line for block in BLOCK.findall(page.read_text()) for line in block.splitlines()]
    return [line for line in lines if line.startswith("autolabel ")]


DOCUMENTED = [
    pytest.param(line, id=f"{page.stem}: {line.split('#')[0].strip()}")
    for page in PAGES
    for line in commands(page)
]


@pytest.mark.parametrize("line", DOCUMENTED)
def test_a_documented_command_can_be_typed(line):
    _, *words = shlex.split(line, comments=True)
    command, parent = typer.main.get_command(app), None
    words = [NUMBERS.get(word, word) for word in words]
    while True:  # each group parses its own arguments and leaves the rest to the next
        context = command.make_context("autolabel", list(words), parent=parent)
        rest = [*getattr(context, "_protected_args", ()), *context.args]
        if not hasattr(command, "resolve_command"):
            assert rest == []
            return
        _, found, words = command.resolve_command(context, rest)
        assert found is not None
        command, parent = found, context


def test_the_tutorial_has_commands():
    assert len(commands(ROOT / "docs" / "tutorial.md")) >= 10
