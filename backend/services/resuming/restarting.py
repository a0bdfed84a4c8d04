"""Start a job again whose process died."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from backend.domain.errors import AutolabelError, NotFound, Unavailable
from backend.domain.jobs import Job, JobRequest, JobState
from backend.domain.unfinished import UnfinishedJob
from backend.ports.jobs import Jobs
from backend.ports.unfinished import UnfinishedJobs

log = logging.getLogger(__name__)

Start = Callable[[JobRequest], tuple[Job, bool]]


@dataclass(frozen=True, slots=True)
class Restarting:
    """Starts each job again that broke off, at most `most` times in a row.

    A job that accepts is left to people: annotations are made by jobs that somebody started.
    `with_chosen` adds the tasks that a job is limited to.
    """

    unfinished: UnfinishedJobs
    jobs: Jobs
    with_chosen: Callable[[Job], Job]
    start: Start
    most: int

    def __call__(self) -> None:
        """Look once. What does not answer now is asked again the next time."""
        for one in self.unfinished.all() if self.most else ():
            try:
                if job := self._broken_off(one):
                    self._start_again(job)
            except Unavailable as exc:
                log.info("project %s: %s waits to start again: %s", one.project, one.job, exc)

    def _broken_off(self, one: UnfinishedJob) -> Job | None:
        """Return the job if it is to start again."""
        if one.paused or one.deaths >= self.most:
            return None
        try:
            job = self.jobs.get(one.job)
        except NotFound:
            self.unfinished.forget(one.project)
            return None
        if job.state is not JobState.FAILED or job.request.accept:
            return None
        newest = self.jobs.history(one.project, 1, reports=False)
        # a newer one means that somebody decided already
        return job if newest and newest[0].id == job.id else None

    def _start_again(self, job: Job) -> None:
        try:
            again, is_new = self.start(self.with_chosen(job).request)
        except Unavailable:
            raise
        except AutolabelError as exc:
            log.warning("%s broke off (%s) and cannot start again: %s", job.id, job.reason, exc)
            self.unfinished.pause(job)
            return
        if is_new:
            log.info("job %s goes on with %s, which broke off: %s", again.id, job.id, job.reason)
