"""Start trainings automatically: check every two seconds the projects that people changed.

Runs in a thread of the web process. If several web processes run, the second start joins the job
of the first.
"""

import logging
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from backend.domain.errors import AutolabelError, NotFound
from backend.domain.ids import ProjectId
from backend.domain.jobs import Events, Job, JobRequest
from backend.domain.projects import ProjectStatus
from backend.ports.jobs import AnnotationChanges
from backend.services.auto_train import AutoTrain

log = logging.getLogger(__name__)

EVERY = 2.0
ASK_AGAIN = 300.0
"""Seconds for which an answer of Label Studio holds while nobody annotates."""


class AutoTrainLoop:
    """`status` counts labels through Label Studio, `start` submits or joins."""

    def __init__(
        self,
        changes: AnnotationChanges,
        trigger: AutoTrain,
        status: Callable[[ProjectId], ProjectStatus],
        start: Callable[[JobRequest], tuple[Job, bool]],
        *,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changes = changes
        self._trigger = trigger
        self._status = status
        self._start = start
        self._every = every
        self._clock = clock
        self._obstacles: dict[ProjectId, tuple[Events, float, str]] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        """Check periodically while the block runs."""
        ending = threading.Event()

        def watch() -> None:
            while not ending.wait(self._every):
                self.look()

        thread = threading.Thread(target=watch, name="watcher", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ending.set()

    def look(self) -> None:
        """Start what should start now."""
        for project in self._changes.pending():
            try:
                self._consider(project)
            except NotFound:
                self._changes.forget(project)
            except AutolabelError as exc:
                log.warning("project %s: no training started by itself: %s", project, exc)
                self._remember(project, self._changes.read(project), str(exc))

    def _consider(self, project: ProjectId) -> None:
        decision = self._trigger.decide(project, lambda: self._obstacle(project))
        if not decision.yes:
            return
        job, is_new = self._start(JobRequest(project))
        if is_new:
            log.info("project %s: job %s starts by itself: %s", project, job.id, decision.reason)

    def _obstacle(self, project: ProjectId) -> str:
        events = self._changes.read(project)
        known = self._obstacles.get(project)
        if known and known[0] == events and self._clock() < known[1]:
            return known[2]
        reasons = self._status(project).reasons
        return self._remember(project, events, reasons[0].message if reasons else "")

    def _remember(self, project: ProjectId, events: Events, obstacle: str) -> str:
        self._obstacles[project] = events, self._clock() + ASK_AGAIN, obstacle
        return obstacle
