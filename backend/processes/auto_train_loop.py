"""Start trainings automatically: check every two seconds the projects that people changed.

Runs in a thread of the web process, and ends with it only: whatever fails in one project is logged,
shown by `/health`, and tried again later, while the other projects go on. If several web processes
run, the second start joins the job of the first.
"""

import logging
import math
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from backend.domain.errors import AutolabelError, NotFound
from backend.domain.ids import ProjectId
from backend.domain.jobs import Events, Job, JobRequest, Mode
from backend.domain.projects import ProjectStatus
from backend.ports.jobs import AnnotationChanges
from backend.processes.periodic import periodically
from backend.services.auto_train import AutoTrain
from backend.services.watch_failures import WatchFailures

log = logging.getLogger(__name__)

EVERY = 2.0
ASK_AGAIN = 300.0
"""Seconds for which an answer of Label Studio, or a failure, holds while nobody annotates."""
PAUSES = 10
"""While people annotate, labels are counted again after this many times what counting takes."""


@dataclass(frozen=True, slots=True)
class KnownObstacle:
    """The first reason against a training, empty if there is none, and what finding it `took`."""

    message: str
    events: Events
    found: float
    took: float

    def holds(self, events: Events, now: float) -> bool:
        """Return whether Label Studio need not be asked again: nothing changed, or just now."""
        age = now - self.found
        return age < ASK_AGAIN if events == self.events else age < PAUSES * self.took


class AutoTrainLoop:
    """Starts what people's work makes due.

    `status` counts labels through Label Studio, `start` submits or joins, `audited` says whether an
    open audit is labeled, `busy` whether a job of the project is queued or running.
    """

    def __init__(
        self,
        changes: AnnotationChanges,
        trigger: AutoTrain,
        status: Callable[[ProjectId], ProjectStatus],
        start: Callable[[JobRequest], tuple[Job, bool]],
        *,
        audited: Callable[[ProjectId], bool] = lambda _: False,
        busy: Callable[[ProjectId], bool] = lambda _: False,
        failures: WatchFailures | None = None,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changes = changes
        self._trigger = trigger
        self._status = status
        self._start = start
        self._audited = audited
        self._busy = busy
        self._looked: dict[ProjectId, tuple[Events, float]] = {}
        self._failures = failures or WatchFailures()
        self._every = every
        self._clock = clock
        self._obstacles: dict[ProjectId, KnownObstacle] = {}
        self._failed: dict[ProjectId, tuple[Events, float]] = {}

    @contextmanager
    def running(self) -> Generator[None]:
        """Check periodically while the block runs."""
        with periodically(self.look_safely, self._every, "watcher"):
            yield

    def look_safely(self) -> None:
        """Look, and log whatever fails outside of a single project."""
        try:
            self.look()
        except Exception:
            log.exception("cannot look for changed projects; trying again in %s s", self._every)

    def look(self) -> None:
        """Start what should start now."""
        pending = self._changes.pending()
        for project in self._failures.all().keys() - set(pending):
            self._failures.clear(project)
        for project in pending:
            self._look_at(project)

    def _look_at(self, project: ProjectId) -> None:
        """Consider one project; the one place here that catches everything."""
        events: Events | None = None
        try:
            events = self._changes.read(project)
            if self._rests(project, events):
                return
            if not self._accepts(project, events):
                self._consider(project)
        except NotFound:
            self._changes.forget(project)
        except AutolabelError as exc:
            log.warning("project %s: no training started by itself: %s", project, exc)
            self._fail(project, events, str(exc))
        except Exception as exc:
            log.exception("project %s: no training started by itself", project)
            self._fail(project, events, f"internal error: {type(exc).__name__}")
        else:
            self._failures.clear(project)

    def _fail(self, project: ProjectId, events: Events | None, message: str) -> None:
        self._failures.record(project, message)
        if events:
            self._failed[project] = events, self._clock() + ASK_AGAIN

    def _rests(self, project: ProjectId, events: Events) -> bool:
        """Whether a project failed a short while ago and nobody annotated since."""
        known, until = self._failed.get(project, (None, 0.0))
        return known == events and self._clock() < until

    def _accepts(self, project: ProjectId, events: Events) -> bool:
        """Start the test of an audit once its last image is labeled; ask once a change.

        A job that runs may close the audit and end at any time, so it is waited for before the
        audit is looked at. A test that came to nothing is repeated later.
        """
        known, until = self._looked.get(project, (None, 0.0))
        if (known == events and self._clock() < until) or self._busy(project):
            return False
        if not self._audited(project):
            self._looked[project] = events, math.inf
            return False
        job, is_new = self._start(JobRequest(project, Mode.AUDITING, by_itself=True))
        if is_new:
            self._looked[project] = events, self._clock() + ASK_AGAIN
            log.info("project %s: job %s tests an audit that is labeled", project, job.id)
        return True

    def _consider(self, project: ProjectId) -> None:
        decision = self._trigger.decide(project, lambda: self._obstacle(project))
        if not decision.yes:
            return
        job, is_new = self._start(JobRequest(project, by_itself=True))
        if is_new:
            log.info("project %s: job %s starts by itself: %s", project, job.id, decision.reason)

    def _obstacle(self, project: ProjectId) -> str:
        events, began = self._changes.read(project), self._clock()
        known = self._obstacles.get(project)
        if known and known.holds(events, began):
            return known.message
        reasons = self._status(project).reasons
        message, now = reasons[0].message if reasons else "", self._clock()
        self._obstacles[project] = KnownObstacle(message, events, now, took=now - began)
        return message
