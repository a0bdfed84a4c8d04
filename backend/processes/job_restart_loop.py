"""Start jobs again whose process died, from a thread of the web process."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from backend.processes.periodic import periodically

log = logging.getLogger(__name__)

EVERY = 5.0


@dataclass(frozen=True, slots=True)
class JobRestartLoop:
    """Calls `restart` again and again."""

    restart: Callable[[], None]
    every: float = EVERY

    @contextmanager
    def running(self) -> Generator[None]:
        """Look periodically while the block runs."""
        with periodically(self.look_safely, self.every, "restarter"):
            yield

    def look_safely(self) -> None:
        """Look, and log whatever fails."""
        try:
            self.restart()
        except Exception:
            log.exception("cannot look for jobs that broke off; trying again in %s s", self.every)
