"""Processes that must not outlive the one that started them."""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1


def tied(command: Sequence[str], last_words: signal.Signals = signal.SIGKILL) -> tuple[str, ...]:
    """A command that does the same, and gets `last_words` when the process that runs it ends.

    Start it from the main thread: for the kernel the parent is a thread. Linux only; elsewhere
    a parent that was killed may leave orphans.
    """
    return (sys.executable, "-m", __name__, str(os.getpid()), str(int(last_words)), *command)


def die_with_parent(parent: int, last_words: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel signal this process when process `parent`, which forked it, ends."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(last_words), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), last_words)


def _main(parent: str, last_words: str, *command: str) -> None:
    die_with_parent(int(parent), signal.Signals(int(last_words)))
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    _main(*sys.argv[1:])
