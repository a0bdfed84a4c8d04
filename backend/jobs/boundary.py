"""The job boundary: whatever happens inside, the job ends in a state with a reason."""

import logging
import secrets
from collections.abc import Mapping
from functools import partial

from backend.domain.errors import AutolabelError
from backend.domain.ids import JobId
from backend.domain.job_events import JobDone, JobEnd
from backend.domain.jobs import Job, Mode
from backend.domain.steps import EXPECTED_SHARES, RELABEL_SHARES, UNDO_SHARES, Step
from backend.jobs.board import JobBoard
from backend.jobs.steps import JobSteps
from backend.ports.progress import Work
from backend.stores.atomic_files import room_for

log = logging.getLogger(__name__)

_SHARES = {Mode.UNDO: UNDO_SHARES, Mode.RELABELING: RELABEL_SHARES}


def run(
    board: JobBoard, job_id: JobId, work: Work, shares: Mapping[Step, float] | None = None
) -> None:
    """Do the work of a queued job.

    `shares` are the expected relative durations of the steps, in the order in which they happen;
    None: those of the kind of job.
    """
    job = board.start(job_id)
    if job is None:
        log.info("job %s was stopped, lost or taken by another worker", job_id)
        return
    if shares is None:
        shares = _SHARES.get(job.request.mode, EXPECTED_SHARES)
    steps = JobSteps(partial(board.progressed, job_id), shares)
    board.end(job, _attempt(board, job, work, steps))


def _attempt(board: JobBoard, job: Job, work: Work, steps: JobSteps) -> JobEnd:
    """Run the work; the one place in a job that catches everything."""
    try:
        with room_for(board.files.folder(job.request.project, job.id)):
            result = work(board.files.with_chosen(job), steps)
            board.files.save_report(job, result)
    except AutolabelError as exc:
        log.warning("job %s ended: %s", job.id, exc)
        return steps.ended_by(exc)
    except Exception:
        incident = secrets.token_hex(4)
        log.exception("job %s failed: internal error %s", job.id, incident)
        return steps.crashed(incident)
    return JobDone(result.reason, result.version)
