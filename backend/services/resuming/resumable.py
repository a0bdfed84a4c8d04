"""Jobs that go on after the last finished step of one that broke off."""

from dataclasses import dataclass, replace

from backend.domain.errors import NotFound, ShutDown, Unavailable
from backend.domain.jobs import Job, JobResult, JobState
from backend.domain.unfinished import UnfinishedJob
from backend.ports.jobs import Jobs
from backend.ports.progress import Steps, Work
from backend.ports.unfinished import UnfinishedJobs


@dataclass(frozen=True, slots=True)
class Resumable:
    """Keeps what `work` makes until the job ends.

    It stays if the process dies or its worker is shut down, or something that the job needs does
    not answer. A job that people stopped leaves nothing, nor does one that failed in any other way,
    since the next one might fail of what it left.
    """

    work: Work
    unfinished: UnfinishedJobs
    jobs: Jobs

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        before = self._before(job)
        is_passing = False
        try:
            result = self.work(job, steps)
            return replace(result, reason=result.reason + self._resumed(job, before))
        except (Unavailable, ShutDown):
            is_passing = True
            raise
        finally:
            if is_passing:
                self.unfinished.pause(job)
            else:
                self.unfinished.end(job)

    def _before(self, job: Job) -> UnfinishedJob | None:
        """Return the job that broke off before, and begin this one."""
        before = self.unfinished.of(job.request.project)
        if before and not before.paused and self._was_stopped(before):
            self.unfinished.forget(before.project)
        return self.unfinished.begin(job)

    def _was_stopped(self, before: UnfinishedJob) -> bool:
        try:
            return self.jobs.get(before.job).state is JobState.STOPPED
        except NotFound:
            return False

    def _resumed(self, job: Job, before: UnfinishedJob | None) -> str:
        """Say after which step an earlier job was gone on with; empty if none was."""
        kept = self.unfinished.opened(job.request.project)
        if before is None or not kept or not kept.reused:
            return ""
        return f"; resumed after {kept.reused[-1].doing} of {before.job}, which broke off"
