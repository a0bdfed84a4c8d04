"""Undo: delete the annotations that an earlier job accepted. A job of its own, safe to repeat."""

from dataclasses import dataclass

from backend.domain.errors import Reason, ReasonCode, Refused
from backend.domain.ids import JobId
from backend.domain.jobs import Job, JobRequest, JobResult, Mode
from backend.domain.steps import Step
from backend.ports.jobs import Jobs
from backend.ports.progress import Steps
from backend.services.auto_accept import AutoAccept, Undone


@dataclass(frozen=True, slots=True)
class Undo:
    """The undo job."""

    auto_accept: AutoAccept

    def __call__(self, job: Job, steps: Steps) -> JobResult:
        """Run the job.

        Raises:
            NotFound: when the other job accepted nothing, or was undone before.
        """
        undoes = job.request.undoes or JobId("")
        with steps(Step.UNDO) as progress:
            undone = self.auto_accept.undo(job.request.project, undoes, progress)
        sections = {
            "undoes": undoes,
            "deleted": undone.deleted,
            "changed": undone.changed,
            "drafted": undone.drafted,
            "seconds": dict(steps.seconds),
        }
        return JobResult(_reason(undone), sections=sections)


@dataclass(frozen=True, slots=True)
class UndoQueue:
    """Queues undo jobs."""

    jobs: Jobs
    auto_accept: AutoAccept

    def __call__(self, job: JobId) -> Job:
        """Queue the undo of a job, or join the one that is queued already.

        Raises:
            NotFound: when there is no such job, or it accepted nothing, or was undone before.
            Refused: while the job itself, or another one of its project, is queued or running.
        """
        found = self.jobs.get(job)
        project = found.request.project
        live = found if found.state.is_live else self.jobs.live(project)
        if live is None:
            self.auto_accept.require_accepted(project, job)
            live, _ = self.jobs.submit(JobRequest(project, Mode.UNDO, undoes=job))
        if live.request.undoes != job:
            raise Refused([busy(live, "nothing can be undone meanwhile")])
        return live


def busy(live: Job, consequence: str) -> Reason:
    """Return the refusal of what cannot be done while a job of the project is live."""
    return Reason(
        ReasonCode.JOB_IS_RUNNING,
        f"job {live.id} is {live.state.value}, and {consequence}",
        hint="Stop it first, or wait for its end",
    )


def _reason(undone: Undone) -> str:
    """`deleted 437 annotations; kept 1 that people are changing`."""
    kept = {"that people changed": undone.changed, "that people are changing": undone.drafted}
    parts = [f"kept {count} {which}" for which, count in kept.items() if count]
    return "; ".join([f"deleted {undone.deleted} annotations", *parts])
