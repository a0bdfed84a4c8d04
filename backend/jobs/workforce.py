"""What the workers of an installation do now, as RQ knows it.

A worker that died is listed until its registration expires, about a minute and a half.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from rq import Queue, Worker
from rq.exceptions import NoSuchJobError
from rq.job import Job as QueuedJob
from rq.serializers import JSONSerializer

from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import WorkerQueue
from backend.domain.workers import WorkerActivity, Workforce
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys
from backend.stores.jobs import JobFiles


class WorkerWatch:
    """Implements `backend.ports.jobs.Workers`."""

    def __init__(self, redis_url: str | Callable[[], str], data_dir: Path) -> None:
        self._client = RedisClient(redis_url, quick=True)
        self._keys = RedisKeys(data_dir)
        self._files = JobFiles(data_dir)

    def look(self) -> Workforce:
        with self._client.reach() as redis:
            names = {
                self._keys.queue: WorkerQueue.JOBS,
                self._keys.shard_queue: WorkerQueue.SHARDS,
                self._keys.cleanup_queue: WorkerQueue.IDLE,
            }
            queues = [Queue(name, connection=redis, serializer=JSONSerializer) for name in names]
            found: dict[str, Any] = {
                worker.name: worker
                for queue in queues
                for worker in Worker.all(queue=queue)  # pyright: ignore[reportUnknownMemberType] - rq types half
            }
            return Workforce(
                tuple(self._activity(found[name], names, redis) for name in sorted(found)),
                {names[queue.name]: queue.count for queue in queues},
            )

    def _activity(
        self, worker: Any, names: Mapping[str, WorkerQueue], redis: Any
    ) -> WorkerActivity:
        takes = frozenset(names[name] for name in worker.queue_names() if name in names)
        work = _work_of(worker, redis)
        doing = names.get(str(work.origin)) if work else None
        if work is None or doing is None:
            return WorkerActivity(worker.name, takes)
        if doing is WorkerQueue.JOBS:
            job = JobId(work.id)
            known = self._files.load(job)
            project = known.request.project if known else None
            return WorkerActivity(worker.name, takes, doing, project, job)
        project, *of_shard = work.args
        helped = JobId(of_shard[0]) if of_shard else None
        return WorkerActivity(worker.name, takes, doing, ProjectId(project), helped)


def _work_of(worker: Any, redis: Any) -> Any:
    """Return what RQ knows of a worker's work; None if it is idle, or has just ended it."""
    work, queued = worker.get_current_job_id(), cast(Any, QueuedJob)
    try:
        return queued.fetch(work, connection=redis, serializer=JSONSerializer) if work else None
    except NoSuchJobError:
        return None
