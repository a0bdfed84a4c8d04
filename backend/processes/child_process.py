"""Start and stop child processes that do not outlive the process that started them.

As a command (`python -m backend.processes.child_process PARENT SIGNAL COMMAND…`) it asks the kernel
for that signal when the parent ends, and then becomes COMMAND.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05


def start_child(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    output: int | IO[bytes] | None = subprocess.PIPE,
    parent_death_signal: signal.Signals | None = signal.SIGKILL,
) -> subprocess.Popen[str]:
    """Start a command in a session of its own, with stdout and stderr going to `output`.

    The child gets `parent_death_signal` when this process ends, however it ends. Call from the
    main thread and keep that, because to the kernel the parent is a thread. Linux only: on other
    systems a killed parent leaves its children running.

    Raises:
        OSError: when the command cannot be run.
    """
    if parent_death_signal is not None:
        number = str(int(parent_death_signal))
        command = (sys.executable, "-m", __name__, str(os.getpid()), number, *command)
    return subprocess.Popen(  # noqa: S603 - commands of this program, no shell
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=None if output is None else subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )


def stop_child(
    process: subprocess.Popen[str],
    seconds: float,
    *,
    is_hurried: Callable[[], bool] = lambda: False,
    group: bool = False,
) -> bool:
    """Send SIGTERM, and SIGKILL after `seconds` or once `is_hurried()`; return whether it ended.

    False means that it had to be killed. `group` signals the children of the process as well.
    """
    _send(process, signal.SIGTERM, group)
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline and not is_hurried():
        time.sleep(_POLL_SECONDS)
    if process.poll() is not None:
        return True
    _send(process, signal.SIGKILL, group)
    process.wait()
    return False


def die_with_parent(parent: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Let the kernel signal this process when process `parent`, which forked it, ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the call
        os.kill(os.getpid(), number)


def _send(process: subprocess.Popen[str], number: signal.Signals, group: bool) -> None:
    if not group:
        process.send_signal(number)
        return
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return


def _main(parent: str, number: str, *command: str) -> None:
    die_with_parent(int(parent), signal.Signals(int(number)))
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    _main(*sys.argv[1:])
