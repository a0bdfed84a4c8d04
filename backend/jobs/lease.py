"""What happens when the worker of a job dies.

A dead worker cannot report its end, so it holds a lease while it works: a key in Redis that expires
and that the worker renews every few seconds. There are three ways to notice:

* The work horse dies alone. Its parent closes the job (`backend.processes.worker`).
* The whole worker dies. The lease expires, and whoever reads the job next closes it as `CRASHED`.
* Redis loses its data. The next reader closes the job, which only the disk remembers, as `LOST`.

A laptop that wakes from sleep, and a worker that has just taken the job off the queue, have no
lease for a moment. The first reader who misses the lease therefore grants one short last lease. A
dead worker is noticed within `LEASE + LAST_LEASE` seconds of looking.
"""

from typing import Any

from backend.domain.ids import JobId
from backend.domain.job_events import JobFailed, JobStopped
from backend.domain.jobs import Job, JobState
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys

LEASE = 45
LAST_LEASE = 15
"""Seconds."""

CRASHED = "the worker process crashed; start the job again"
SHUT_DOWN = "the worker was shut down; start the job again"
LOST = "Redis lost this job while it was running; start it again"

_IS_ALIVE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if redis.call('EXISTS', KEYS[2]) == 1 or redis.call('LPOS', KEYS[3], ARGV[1]) then return 1 end
local granted = redis.call('HSETNX', KEYS[1], 'last_lease', 1)
if granted == 1 then redis.call('SET', KEYS[2], '', 'EX', ARGV[2]) end
return granted
"""


class Leases:
    """The leases that workers hold on their jobs. Every method raises QueueUnreachable."""

    def __init__(self, client: RedisClient, keys: RedisKeys, last_lease: int = LAST_LEASE) -> None:
        self._client = client
        self._keys = keys
        self._last_lease = last_lease

    def renew(self, job_id: JobId, seconds: int = LEASE) -> None:
        """Extend the lease of a job whose worker is alive."""
        with self._client.reach() as redis:
            pipe = redis.pipeline()
            pipe.set(self._keys.lease(job_id), "", ex=seconds)
            pipe.hdel(self._keys.job(job_id), "last_lease")
            pipe.execute()

    def check(self, pipe: Any, job_id: JobId, queue_key: str) -> None:
        """Make `pipe` answer 1 if the job waits in the queue or its worker is alive, else 0."""
        keys = self._keys.job(job_id), self._keys.lease(job_id), queue_key
        pipe.eval(_IS_ALIVE, len(keys), *keys, job_id, self._last_lease)


def death(job: Job, reason: str) -> JobStopped | JobFailed:
    """Return how a job ends whose worker is gone: stopped if it was asked to stop, else failed."""
    if job.state is JobState.STOPPING:
        return JobStopped(f"{job.reason}; {reason}")
    return JobFailed(reason)
