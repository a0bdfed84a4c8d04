"""Runs commands of `autolabel`, each in a process of its own, forked after the program was loaded.

Loading it takes most of the time of a short command. `python -m tests.e2e.command_server` reads a
request from each line of standard input, and writes the exit status to standard output.
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

WIDTH = {"COLUMNS": "200"}
"""Read when the program is loaded."""


class CommandServer:
    """A process that has the program loaded; it ends with this one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.command_server"],
            cwd=Path(__file__).parents[2],
            env=os.environ | WIDTH,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(
        self, arguments: Sequence[str], environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end, in the working directory of this process.

        Raises:
            TimeoutExpired: when it takes longer; the server is useless then.
        """
        with self._lock, tempfile.TemporaryDirectory() as folder:
            files = [f"{folder}/stdout", f"{folder}/stderr"]
            request = [arguments, dict(environment), str(Path.cwd()), files]
            status = int(self._answer(json.dumps(request), arguments, seconds))
            output, errors = (Path(file).read_text() for file in files)
            return subprocess.CompletedProcess(arguments, status, output, errors)

    def _answer(self, request: str, arguments: Sequence[str], seconds: float) -> str:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(request + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            self._process.kill()
            raise subprocess.TimeoutExpired(arguments, seconds)
        return self._process.stdout.readline()


@cache
def command_server() -> CommandServer:
    """The server of this process."""
    return CommandServer()


def _serve() -> None:
    from backend.cli.commands import main

    for line in sys.stdin:
        arguments, environment, folder, files = json.loads(line)
        child = os.fork()
        if not child:
            _become(arguments, environment, folder, files, main)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(status, flush=True)


def _become(arguments, environment, folder, files, main) -> NoReturn:
    """Run a command as if this process had been started for it."""
    status = 1
    try:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, file in enumerate(files, start=1):
            os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
        sys.argv = ["autolabel", *arguments]
        main()
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else int(exc.code is not None)
    except BaseException:  # noqa: BLE001 - printed, as Python does
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve()
