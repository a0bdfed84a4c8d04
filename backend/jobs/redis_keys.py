"""Keys of jobs in Redis.

autolabel:latest:<project>   id of the project's newest job
autolabel:job:<id>           hash: card, progress, step, detail, stop (why the work should
stop), last_lease (granted once, see `backend.jobs.lease`)
autolabel:lease:<id>         exists as long as a worker renews it
"""

from backend.domain.ids import JobId, ProjectId


def latest_key(project: ProjectId) -> str:
    return f"autolabel:latest:{project}"


def job_key(job_id: JobId) -> str:
    return f"autolabel:job:{job_id}"


def lease_key(job_id: JobId) -> str:
    return f"autolabel:lease:{job_id}"
