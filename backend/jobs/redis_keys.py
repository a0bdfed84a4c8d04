"""Names in Redis. Each begins with the id of the data folder, so installations may share a Redis.

autolabel:<id>                   the queue of jobs
autolabel:<id>:cleanup           the queue of deferred cleanups, see `backend.jobs.cleanup_queue`
autolabel:<id>:shards            the queue of shards, see `backend.jobs.shard_queue`
autolabel:<id>:shards:<job>      hash: open, and the state of each claimed shard
autolabel:<id>:shards:<job>:<n>  exists as long as a worker works on that shard
autolabel:<id>:latest:<project>  id of the project's newest job
autolabel:<id>:job:<job>         hash: card, progress, step, detail, last_lease (granted once,
                                 see `backend.jobs.lease`)
autolabel:<id>:lease:<job>       exists as long as a worker renews it
autolabel:<id>:events:<project>  hash: count, last, trained, see `backend.jobs.annotation_counter`
autolabel:<id>:ours:<project>    annotations of our own whose events are still to come
autolabel:<id>:changed           set of the projects with changed annotations
"""

from functools import cached_property
from pathlib import Path

from backend.domain.ids import JobId, ProjectId
from backend.stores.installation import installation_id


class RedisKeys:
    """The names of one installation; reads its id when first asked for one."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    @cached_property
    def queue(self) -> str:
        return f"autolabel:{installation_id(self._data_dir)}"

    @property
    def cleanup_queue(self) -> str:
        return f"{self.queue}:cleanup"

    @property
    def shard_queue(self) -> str:
        return f"{self.queue}:shards"

    def shards(self, job_id: JobId) -> str:
        return f"{self.shard_queue}:{job_id}"

    def shard_beat(self, job_id: JobId, number: int) -> str:
        return f"{self.shards(job_id)}:{number}"

    def cleanup(self, project: ProjectId) -> str:
        """Return how the ids begin that RQ knows a project's cleanups by; it allows no colons."""
        return f"{self.cleanup_queue}-{project}".replace(":", "-")

    @property
    def changed(self) -> str:
        return f"{self.queue}:changed"

    def latest(self, project: ProjectId) -> str:
        return f"{self.queue}:latest:{project}"

    def job(self, job_id: JobId) -> str:
        return f"{self.queue}:job:{job_id}"

    def lease(self, job_id: JobId) -> str:
        return f"{self.queue}:lease:{job_id}"

    def events(self, project: ProjectId) -> str:
        return f"{self.queue}:events:{project}"

    def ours(self, project: ProjectId) -> str:
        return f"{self.queue}:ours:{project}"
