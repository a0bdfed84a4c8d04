"""The queue of deferred cleanups: what a job superseded is deleted when no job waits.

Workers take from it only when the queue of jobs is empty. A cleanup is the number of a project. It
is no job: it has no record and no history, losing it loses nothing, and the next job of the project
queues it again.

Each cleanup has an id of its own. When one ends, RQ deletes what it knows under its id, and a
cleanup that makes way queues the next one before it ends.
"""

import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rq import Queue
from rq.serializers import JSONSerializer

from backend.domain.errors import QueueUnreachable
from backend.domain.ids import ProjectId
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys

log = logging.getLogger(__name__)

CLEANUP_ENTRY = "backend.rq_entry.run_cleanup"
"""Called by a worker with the number of a project."""

_LONGEST = 24 * 3600
"""Seconds after which RQ ends a cleanup; the next one goes on."""


class CleanupQueue:
    """Queues cleanups, and tells a running one when to make way."""

    def __init__(
        self, redis_url: str | Callable[[], str], data_dir: Path, *, entry: str = CLEANUP_ENTRY
    ) -> None:
        self._client = RedisClient(redis_url)
        self._keys = RedisKeys(data_dir)
        self._entry = entry

    def request(self, project: ProjectId) -> None:
        """Queue a cleanup of a project unless one waits already. Never raises."""
        try:
            with self._client.reach() as redis:
                queue = self.queue(redis)
                name = f"{self._keys.cleanup(project)}-"
                if any(waiting.startswith(name) for waiting in queue.get_job_ids()):
                    return
                queue.enqueue_call(
                    self._entry,
                    args=(project,),
                    job_id=f"{name}{secrets.token_hex(8)}",
                    timeout=_LONGEST,
                    result_ttl=0,
                    failure_ttl=0,
                )
        except QueueUnreachable as exc:
            log.warning("project %s: the cleanup waits for its next job: %s", project, exc)

    def jobs_wait(self) -> bool:
        """Return whether a job waits for a worker. Raises QueueUnreachable."""
        with self._client.reach() as redis:
            return bool(Queue(self._keys.queue, connection=redis, serializer=JSONSerializer).count)

    def others_wait(self) -> bool:
        """Return whether another cleanup waits for a worker. Raises QueueUnreachable."""
        with self._client.reach() as redis:
            return bool(self.queue(redis).count)

    def queue(self, redis: Any) -> Any:
        """Return the RQ queue."""
        return Queue(self._keys.cleanup_queue, connection=redis, serializer=JSONSerializer)
