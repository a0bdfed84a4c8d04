"""Keep tests/unit pure: a test that starts a process or opens a connection fails."""

import sys
from typing import Any

FORBIDDEN = {
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
}
running = False
"""Whether a unit test is running: the hook stays for the whole session, other folders included."""


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    if running and event in FORBIDDEN:
        raise AssertionError(f"{event} in a unit test; move it to tests/component")


sys.addaudithook(refuse)


def pytest_runtest_setup() -> None:
    global running  # noqa: PLW0603 - audit hooks cannot be removed, only switched
    running = True


def pytest_runtest_teardown() -> None:
    global running  # noqa: PLW0603
    running = False
