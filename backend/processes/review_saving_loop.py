"""Save decisions of the review page in the background, in a thread of the web process.

Decisions are in files, so what a stopped process left is saved by the next one. What fails is
logged and tried again, while the other projects go on.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from backend.domain.errors import AutolabelError
from backend.domain.ids import ProjectId

log = logging.getLogger(__name__)

EVERY = 1.0
REST = 30.0
"""Seconds for which a project that failed is left alone."""


class ReviewSavingLoop:
    """Calls `save` for every project of `projects` until it returns 0."""

    def __init__(
        self,
        projects: Callable[[], Sequence[ProjectId]],
        save: Callable[[ProjectId], int],
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._projects = projects
        self._save = save
        self._every = every
        self._clock = clock
        self._resting: dict[ProjectId, float] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        """Save periodically while the block runs."""
        ending = threading.Event()

        def work() -> None:
            while not ending.wait(self._every):
                self.save_safely()

        thread = threading.Thread(target=work, name="review-saver", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()

    def save_safely(self) -> None:
        """Save what is due, and log whatever fails outside of a single project."""
        try:
            for project in self._projects():
                self._save_one(project)
        except Exception:
            log.exception("cannot look for reviews to save; trying again in %s s", self._every)

    def _save_one(self, project: ProjectId) -> None:
        if self._clock() < self._resting.get(project, 0.0):
            return
        try:
            while self._save(project):
                pass
        except AutolabelError as exc:
            log.warning("project %s: reviews are not saved yet: %s", project, exc)
            self._resting[project] = self._clock() + REST
        except Exception:
            log.exception("project %s: reviews are not saved yet", project)
            self._resting[project] = self._clock() + REST
