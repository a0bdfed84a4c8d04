"""The queue of shards: parts of running jobs, which any worker takes when no job waits.

For each job that offers shards there is a hash: `open` as long as they are wanted, and by number
who has a shard: `claimed` or `done`. Who works on a shard renews a key that expires, so the shard
of a dead worker is not waited for.

A worker that takes an entry off the queue of RQ does one shard after the other, in the process that
has loaded the model, until there are no more. So an entry says only that a job has shards, and
there are as many as shards, since each process does one at least.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rq import Queue, Worker
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from backend.domain.errors import QueueUnreachable
from backend.domain.ids import JobId, ProjectId
from backend.domain.shards import Shard
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys
from backend.stores.shards import ShardFiles

log = logging.getLogger(__name__)

SHARD_ENTRY = "backend.rq_entry.run_shards"
"""Called by a worker with the number of the project and the id of the job."""

HEARTBEAT = 60
"""Seconds after its last sign of life for which a worker counts as alive."""

_LONGEST = 24 * 3600

_TAKE = """
local offered = tonumber(redis.call('HGET', KEYS[1], 'open') or 0)
for number = 0, offered - 1 do
    if redis.call('HSETNX', KEYS[1], number, 'claimed') == 1 then
        redis.call('SET', KEYS[1] .. ':' .. number, '', 'EX', ARGV[1])
        return number
    end
end
return -1
"""
_FINISH = """
redis.call('DEL', KEYS[2])
if redis.call('HEXISTS', KEYS[1], 'open') == 1 then
    redis.call('HSET', KEYS[1], ARGV[1], 'done')
end
"""


class ShardQueue:
    """Implements `backend.ports.shards.Shards`."""

    def __init__(
        self,
        redis_url: str | Callable[[], str],
        data_dir: Path,
        *,
        entry: str = SHARD_ENTRY,
        heartbeat: int = HEARTBEAT,
    ) -> None:
        self._client = RedisClient(redis_url)
        self._keys = RedisKeys(data_dir)
        self._files = ShardFiles(data_dir)
        self._entry = entry
        self._heartbeat = heartbeat

    def queue(self, redis: Any) -> Any:
        """Return the RQ queue."""
        return Queue(self._keys.shard_queue, connection=redis, serializer=JSONSerializer)

    def helpers(self) -> int:
        try:
            with self._client.reach() as redis:
                found = Worker.all(queue=self.queue(redis))  # pyright: ignore[reportUnknownMemberType] - rq types half
                return sum(one.get_state() == WorkerStatus.IDLE for one in found)
        except QueueUnreachable:
            return 0

    def offer(self, shards: Sequence[Shard]) -> None:
        self._files.save(shards)
        job = shards[0].job
        with self._client.reach() as redis:
            redis.hset(self._keys.shards(job), "open", len(shards))
            redis.expire(self._keys.shards(job), _LONGEST)
            for shard in shards:
                self.queue(redis).enqueue_call(
                    self._entry,
                    args=(shard.project, job),
                    job_id=_name(job, shard.number),
                    timeout=_LONGEST,
                    result_ttl=0,
                    failure_ttl=0,
                )

    def take(self, project: ProjectId, job: JobId) -> Shard | None:
        while (number := self._claimed(job)) is not None:
            if shard := self._files.load(project, job, number):
                return shard
            self._finished(job, number)  # it was withdrawn, or its file is damaged
        return None

    def _claimed(self, job: JobId) -> int | None:
        with self._client.reach() as redis:
            number = int(redis.eval(_TAKE, 1, self._keys.shards(job), self._heartbeat))
            if number < 0:
                self._withdraw_entries(redis, job)
            return number if number >= 0 else None

    def is_wanted(self, shard: Shard) -> bool:
        with self._client.reach() as redis:
            pipe = redis.pipeline()
            pipe.hexists(self._keys.shards(shard.job), "open")
            pipe.set(self._beat(shard), "", ex=self._heartbeat)
            return bool(pipe.execute()[0])

    def finish(self, shard: Shard) -> None:
        self._finished(shard.job, shard.number)

    def _finished(self, job: JobId, number: int) -> None:
        keys = self._keys.shards(job), self._keys.shard_beat(job, number)
        with self._client.reach() as redis:
            redis.eval(_FINISH, 2, *keys, number)

    def running(self, job: JobId) -> int:
        with self._client.reach() as redis:
            fields: dict[bytes, bytes] = redis.hgetall(self._keys.shards(job))
            claimed = [name.decode() for name, state in fields.items() if state == b"claimed"]
            beats = [self._keys.shard_beat(job, int(number)) for number in claimed]
            return int(redis.exists(*beats)) if beats else 0

    def withdraw(self, project: ProjectId, job: JobId) -> None:
        self._files.forget(project, job)
        with suppress(QueueUnreachable), self._client.reach() as redis:
            self._withdraw_entries(redis, job)
            redis.delete(self._keys.shards(job))

    def _withdraw_entries(self, redis: Any, job: JobId) -> None:
        """Remove the entries that no worker has taken: each would start a process in vain."""
        offered, queue = redis.hget(self._keys.shards(job), "open"), self.queue(redis)
        for number in range(int(offered or 0) if queue.count else 0):
            name = _name(job, number)
            # RQ fails at the end of a job that was deleted while a worker is at it
            if queue.remove(name) and (waiting := queue.fetch_job(name)):
                waiting.delete()

    def _beat(self, shard: Shard) -> str:
        return self._keys.shard_beat(shard.job, shard.number)


def _name(job: JobId, number: int) -> str:
    """Return the id that RQ knows an entry by."""
    return f"{job}-shard-{number}"
