"""The records of jobs in Redis: their state, their progress and their place in the queue.

`backend.jobs.redis_keys` lists the keys.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from rq import Queue
from rq.serializers import JSONSerializer

from backend.domain.ids import JobId, ProjectId
from backend.domain.job_events import JobEvent, advance
from backend.domain.jobs import Job
from backend.jobs.lease import Leases
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys
from backend.stores.jobs import job_from_json, job_to_json

ENTRY = "backend.rq_entry.run_job"

_DAY = 24 * 3600
_FOREVER = -1


@dataclass(frozen=True, slots=True)
class Record:
    """A job in Redis; `alive` if it waits in the queue or its worker holds the lease."""

    job: Job
    alive: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A job before and after an event."""

    before: Job
    after: Job


class JobRecords:
    """Reads and changes records. Every method raises QueueUnreachable.

    `entry` is the function that a worker calls with the id of a job.
    """

    def __init__(
        self, client: RedisClient, keys: RedisKeys, leases: Leases, *, entry: str = ENTRY
    ) -> None:
        self._client = client
        self._keys = keys
        self._leases = leases
        self._entry = entry

    def latest(self, project: ProjectId) -> JobId | None:
        """Return the id of the project's newest job."""
        with self._client.reach() as redis:
            return _id(redis.get(self._keys.latest(project)))

    def enqueue(self, job: Job, after: JobId | None) -> bool:
        """Queue a new job, unless the project's newest job is another than `after` by now."""
        key = self._keys.latest(job.request.project)
        with self._client.reach() as redis:

            def enqueue(pipe: Any) -> bool:
                is_newest = _id(pipe.get(key)) == after
                pipe.multi()
                if is_newest:
                    pipe.set(key, job.id)
                    _write(pipe, self._keys.job(job.id), job)
                    self._push(redis, pipe, job.id)
                return is_newest

            return redis.transaction(enqueue, key, value_from_callable=True)

    def read(self, job_id: JobId) -> Record | None:
        """Return the record; None if Redis does not have it."""
        with self._client.reach() as redis:
            pipe = redis.pipeline()
            pipe.hgetall(self._keys.job(job_id))
            self._leases.check(pipe, job_id, self.queue(redis).key)
            fields, alive = pipe.execute()
        job = _parsed(fields)
        return Record(job, bool(alive)) if job else None

    def apply(self, job_id: JobId, event: JobEvent) -> Change | None:
        """Advance a job by an event, atomically; None if Redis does not have the job.

        Never creates a record: readers of one that Redis lost were told that the job is lost.
        """
        key = self._keys.job(job_id)

        def apply(pipe: Any) -> Change | None:
            before = _parsed(pipe.hgetall(key))
            after = advance(before, event, datetime.now(UTC)) if before else None
            pipe.multi()
            if before is None or after is None:
                return None
            if after is not before:
                _write(pipe, key, after, whole=after.state is not before.state)
            return Change(before, after)

        with self._client.reach() as redis:
            return redis.transaction(apply, key, value_from_callable=True)

    def withdraw(self, job_id: JobId) -> None:
        """Take a job off the queue, if it is still there."""
        with self._client.reach() as redis:
            if queued := self.queue(redis).fetch_job(job_id):
                queued.delete()

    def queue(self, redis: Any) -> Any:
        """Return the RQ queue of this installation."""
        return Queue(self._keys.queue, connection=redis, serializer=JSONSerializer)

    def _push(self, redis: Any, pipe: Any, job_id: JobId) -> None:
        self.queue(redis).enqueue_call(
            self._entry,
            args=(job_id,),
            job_id=job_id,
            timeout=_FOREVER,
            result_ttl=_DAY,
            failure_ttl=_DAY,
            pipeline=pipe,
        )


def _id(value: bytes | None) -> JobId | None:
    return JobId(value.decode()) if value else None


def _write(pipe: Any, key: str, job: Job, *, whole: bool = True) -> None:
    """Write a record; unless `whole`, only the progress, which changes five times a second."""
    fields: dict[Any, Any] = {"progress": job.progress, "step": job.step, "detail": job.detail}
    if whole:
        fields["card"] = job_to_json(job)
    pipe.hset(key, mapping=fields)
    if not job.state.is_live:
        pipe.expire(key, _DAY)


def _parsed(fields: Mapping[bytes, bytes]) -> Job | None:
    if not fields.get(b"card"):
        return None
    return replace(
        job_from_json(fields[b"card"]),
        progress=float(fields[b"progress"]),
        step=fields[b"step"].decode(),
        detail=fields.get(b"detail", b"").decode(),
    )
