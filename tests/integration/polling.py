"""Waiting for what another process does."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")


def eventually(look: Callable[[], Found], seconds: float = 90) -> Found:
    """What `look` finds as soon as it finds something; fails when that takes too long.

    It looks less often the longer it takes: looking costs the processor time that others need.
    """
    begun = time.monotonic()
    while not (found := look()):
        waited = time.monotonic() - begun
        assert waited < seconds, f"nothing within {seconds} s"
        time.sleep(min(max(waited / 20, 0.02), 0.3))
    return found


def lives(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False
    return state != "Z"
