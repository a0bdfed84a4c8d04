"""Somebody who types what a page of the documentation says, command by command, in terminals."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from backend.processes.child_process import start_child, stop_child
from tests.e2e.label_studio import REPOSITORY

_SECTION = re.compile(r"^## ", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_COMMAND_SECONDS = 600
_LEFT_OUT = ("AUTOLABEL_", "LABEL_STUDIO_", "XDG_DATA", "XDG_CONFIG")


def sections(page: Path) -> list[list[tuple[str, str]]]:
    """The language and text of each code block, section by section."""
    _, *found = _SECTION.split(page.read_text())
    return [_BLOCK.findall(section) for section in found]


def python_blocks(page: Path) -> list[str]:
    """The Python on a page, block by block."""
    return [text for kind, text in _BLOCK.findall(page.read_text()) if kind == "python"]


def commands_of(section: Sequence[tuple[str, str]]) -> list[str]:
    """The lines to type in a section."""
    return [line for kind, text in section if kind == "sh" for line in text.splitlines()]


def fresh_environment(home: Path, commands: Mapping[str, str], **more: str) -> dict[str, str]:
    """The environment of a new user: an own home, and these commands before all others.

    `autolabel` is that of this checkout.
    """
    commands = {"autolabel": f'exec {sys.executable} -m backend.cli "$@"', **commands}
    folder = home / "bin"
    folder.mkdir(parents=True)
    for name, script in commands.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
    path = os.pathsep.join([str(folder), os.environ.get("PATH", os.defpath)])
    return {**kept, "HOME": str(home), "PATH": path, "COLUMNS": "200", **more}


@dataclass
class Terminal:
    """A shell. `exports` are the lines typed so far that set variables.

    `placeholders` maps what the page writes to what this reader has instead.
    """

    environment: Mapping[str, str]
    placeholders: dict[str, str] = field(default_factory=dict)
    exports: list[str] = field(default_factory=list)

    def type(self, line: str) -> str:
        """The output of a command, which must succeed."""
        done = subprocess.run(
            self._shell(line),
            env=self.environment,
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        if line.startswith("export "):
            self.exports.append(line)
        return done.stdout

    @contextmanager
    def running(self, line: str, log: Path) -> Iterator[None]:
        """A command that goes on in its terminal until the block ends."""
        with log.open("wb") as output:
            process = start_child(
                self._shell(f"exec {line}"),
                environment=self.environment,
                folder=REPOSITORY,
                output=output,
                parent_death_signal=None,
            )
        try:
            yield
        finally:
            stop_child(process, 60, group=True)

    def _shell(self, line: str) -> list[str]:
        script = "\n".join([*self.exports, line])
        for written, meant in self.placeholders.items():
            script = script.replace(written, meant)
        return ["bash", "-euo", "pipefail", "-c", script]
