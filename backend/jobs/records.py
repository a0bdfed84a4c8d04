"""What Redis knows of a job: its state, how far it is, and whether its worker still lives.

    autolabel:latest:<project>   the id of the project's newest job
    autolabel:job:<id>           card, progress, step, stop (why the work should stop), doubted
    autolabel:lease:<id>         there as long as a worker renews it

A worker that dies cannot say so. It holds a lease on its job and renews it every few seconds; a
job whose lease ran out is dead. To be fair to a laptop that slept and to a worker that has just
taken the job off the queue, the first reader who misses the lease grants one short last lease.
A dead worker is therefore noticed within `LEASE + LAST_LEASE` seconds of looking.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rq import Queue
from rq.serializers import JSONSerializer

from backend.domain.ids import JobId, ProjectId
from backend.domain.jobs import Job, JobState
from backend.jobs.redis_client import RedisClient
from backend.stores.cards import job_card, job_from

QUEUE = "autolabel"
ENTRY = "backend.rq_entry.run_job"
LEASE = 45
LAST_LEASE = 15
LOST = "Redis lost this job, with the work in progress; start it again"

_DAY = 24 * 3600
_FOREVER = -1

_READ = """
local fields = redis.call('HGETALL', KEYS[1])
if #fields == 0 then return {fields, 0} end
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('LPOS', KEYS[3], ARGV[1]) then
    return {fields, 1}
end
local granted = redis.call('HSETNX', KEYS[1], 'doubted', 1)
if granted == 1 then redis.call('SET', KEYS[2], '', 'EX', ARGV[2]) end
return {fields, granted}
"""
_REPORT = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSET', KEYS[1], 'progress', ARGV[1], 'step', ARGV[2])
return redis.call('HGET', KEYS[1], 'stop') or ''
"""
"""Never makes a record anew: one that is gone was lost, and readers were told so."""


@dataclass(frozen=True, slots=True)
class Record:
    """A job as Redis has it; `alive` where it waits in the queue or a worker holds its lease."""

    job: Job
    alive: bool


class JobRecords:
    """The records of jobs. Every method raises QueueUnreachable.

    `entry` is the function that a worker calls with the id of a job.
    """

    def __init__(
        self, client: RedisClient, *, entry: str = ENTRY, last_lease: int = LAST_LEASE
    ) -> None:
        self._client = client
        self._entry = entry
        self._last_lease = last_lease

    def submit(
        self, project: ProjectId, live: Callable[[JobId], Job | None], fresh: Callable[[], Job]
    ) -> tuple[Job, bool]:
        """Put a fresh job into the queue unless the project's newest is `live`; all or nothing."""
        key = _latest_key(project)
        with self._client.reach() as redis:

            def decide(pipe: Any) -> tuple[Job, bool]:
                newest = pipe.get(key)
                joined = live(JobId(newest.decode())) if newest else None
                pipe.multi()
                if joined:
                    return joined, False
                job = fresh()
                pipe.set(key, job.id)
                _write(pipe, job)
                self._enqueue(redis, pipe, job.id)
                return job, True

            return redis.transaction(decide, key, value_from_callable=True)

    def latest(self, project: ProjectId) -> JobId | None:
        with self._client.reach() as redis:
            found = redis.get(_latest_key(project))
        return JobId(found.decode()) if found else None

    def read(self, job_id: JobId) -> Record | None:
        with self._client.reach() as redis:
            keys = (_job_key(job_id), _lease_key(job_id), _queue(redis).key)
            pairs, alive = redis.eval(_READ, len(keys), *keys, job_id, self._last_lease)
        job = _parsed(dict(zip(pairs[::2], pairs[1::2], strict=True)))
        return Record(job, bool(alive)) if job else None

    def change(self, job_id: JobId, change: Callable[[Job], Job]) -> Job | None:
        """Apply `change` to a record that nobody else changes meanwhile; None where it is lost."""
        key = _job_key(job_id)

        def apply(pipe: Any) -> Job | None:
            job = _parsed(pipe.hgetall(key))
            changed = change(job) if job else None
            pipe.multi()
            if changed and changed is not job:
                _write(pipe, changed)
            return changed

        with self._client.reach() as redis:
            return redis.transaction(apply, key, value_from_callable=True)

    def withdraw(self, job_id: JobId) -> None:
        """Take a job off the queue, if it is still there."""
        with self._client.reach() as redis:
            if queued := _queue(redis).fetch_job(job_id):
                queued.delete()

    def report(self, job_id: JobId, progress: float, step: str) -> str | None:
        """Note how far a job is. Answers why it should stop, '' to go on, None if lost."""
        with self._client.reach() as redis:
            answer = redis.eval(_REPORT, 1, _job_key(job_id), str(progress), step)
        return None if answer is None else answer.decode()

    def renew(self, job_id: JobId, seconds: int = LEASE) -> None:
        """Say that the job's worker lives."""
        with self._client.reach() as redis:
            pipe = redis.pipeline()
            pipe.set(_lease_key(job_id), "", ex=seconds)
            pipe.hdel(_job_key(job_id), "doubted")
            pipe.execute()

    def _enqueue(self, redis: Any, pipe: Any, job_id: JobId) -> None:
        _queue(redis).enqueue_call(
            self._entry,
            args=(job_id,),
            job_id=job_id,
            timeout=_FOREVER,
            result_ttl=_DAY,
            failure_ttl=_DAY,
            pipeline=pipe,
        )


def _queue(redis: Any) -> Any:
    return Queue(QUEUE, connection=redis, serializer=JSONSerializer)


def _write(pipe: Any, job: Job) -> None:
    key = _job_key(job.id)
    fields: dict[Any, Any] = {"card": job_card(job), "progress": job.progress, "step": job.step}
    if job.state not in {JobState.QUEUED, JobState.RUNNING}:
        fields["stop"] = job.reason
    pipe.hset(key, mapping=fields)
    if not job.state.is_live:
        pipe.expire(key, _DAY)


def _parsed(fields: dict[bytes, bytes]) -> Job | None:
    if not fields.get(b"card"):
        return None
    job = job_from(fields[b"card"])
    progress, step = float(fields[b"progress"]), fields[b"step"].decode()
    return replace(job, progress=progress, step=step)


def _latest_key(project: ProjectId) -> str:
    return f"autolabel:latest:{project}"


def _job_key(job_id: JobId) -> str:
    return f"autolabel:job:{job_id}"


def _lease_key(job_id: JobId) -> str:
    return f"autolabel:lease:{job_id}"
