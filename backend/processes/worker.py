"""The worker: takes jobs off the queue, and cleanups when no job waits; forks a horse for each.

The parent never imports torch, because a CUDA context does not survive a fork. It renews the lease
of the running job, kills a horse that does not stop when asked, and ends the job of a dead horse.
Signal handlers only set flags: they may interrupt a call to Redis, and must not make another one.
"""

import logging
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, cast

from redis.exceptions import RedisError
from rq import Queue, Worker, worker_registration
from rq.exceptions import StopRequested
from rq.job import Job as QueuedJob
from rq.serializers import JSONSerializer
from rq.timeouts import HorseMonitorTimeoutException
from typing_extensions import override

from backend.domain.errors import AutolabelError, NotFound, QueueUnreachable
from backend.domain.ids import JobId
from backend.domain.jobs import JobState
from backend.domain.shards import WorkerQueue
from backend.jobs.board import JobBoard
from backend.jobs.cleanup_queue import CleanupQueue
from backend.jobs.lease import LEASE, SHUT_DOWN
from backend.jobs.redis_client import connect
from backend.jobs.shard_queue import ShardQueue
from backend.processes.child_process import die_with_parent
from backend.processes.embedded_redis import redis_url
from backend.processes.retention import sweep
from backend.settings import Settings
from backend.stores.atomic_files import sweep_drafts
from backend.stores.scratch import sweep_scratch

log = logging.getLogger(__name__)

_ABANDONED = 3600.0
"""Seconds after which the draft of a file was left by a process that died."""

_WAIT_SECONDS = 0.2
"""Seconds between two checks whether the work horse ended or a shutdown was requested."""

_SWEEP_EVERY = 6 * 3600.0
"""Seconds between two sweeps, see `backend.processes.retention`."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals of a worker, in seconds.

    Every `look` seconds it renews the `lease` of its job, for which the job then counts as alive.
    A job gets `grace` seconds to stop before it is killed. An idle worker that died disappears
    from the list of workers 60 s after `idle`.
    """

    look: int = 5
    lease: int = LEASE
    grace: float = 30
    idle: int = 30


class JobWorker(Worker):
    """An RQ worker that keeps the job board up to date."""

    def __init__(
        self,
        board: JobBoard,
        redis: Any,
        pace: Pace,
        sweep: Callable[[], object] = lambda: None,
        cleanups: CleanupQueue | None = None,
        shards: ShardQueue | None = None,
        takes: Collection[WorkerQueue] = tuple(WorkerQueue),
    ) -> None:
        jobs = board.records.queue(redis)
        queues = {
            WorkerQueue.JOBS: jobs,
            WorkerQueue.SHARDS: shards.queue(redis) if shards else None,
            WorkerQueue.IDLE: cleanups.queue(redis) if cleanups else None,
        }
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - rq types half of it
            [queue for one, queue in queues.items() if queue is not None and one in takes],
            connection=redis,
            serializer=JSONSerializer,
            job_monitoring_interval=pace.look,
            worker_ttl=pace.idle,
        )
        self._jobs = str(jobs.name)
        self._board = board
        self._pace = pace
        self._sweep = sweep
        self._swept_at = float("-inf")
        self._running: JobId | None = None
        self._cause_of_death = ""
        self._stopping_since: float | None = None
        self._shutdown_to_pass_on = False
        self.asked_to_end = False

    @override
    def dequeue_job_and_maintain_ttl(
        self, timeout: int | None, max_idle_time: int | None = None
    ) -> Any:
        """Wait for a job; sweep first if that is due and no job waits."""
        if time.monotonic() - self._swept_at > _SWEEP_EVERY and self._is_idle():
            self._swept_at = time.monotonic()
            self._sweep()
        return super().dequeue_job_and_maintain_ttl(timeout, max_idle_time)

    @override
    def execute_job(self, job: QueuedJob, queue: Queue) -> None:
        """Fork, wait, and mark the job as ended if the work horse did not."""
        if queue.name != self._jobs:
            super().execute_job(job, queue)  # it has no record, and may end anywhere
            return
        self._cause_of_death = "its process ended unexpectedly; see the worker's log"
        self._stopping_since = None
        self._running = job_id = JobId(job.id)
        try:
            self._board.leases.renew(job_id, self._pace.lease)
            super().execute_job(job, queue)
        finally:
            self._running = None
            self._close(job_id)

    @override
    def maintain_heartbeats(self, job: QueuedJob) -> None:
        """Called every `Pace.look` seconds while the horse works."""
        try:
            super().maintain_heartbeats(job)
            if self._running is None:
                self._end_other_work()
                return
            self._board.leases.renew(JobId(job.id), self._pace.lease)
            if self.asked_to_end:
                self._board.stop(JobId(job.id), SHUT_DOWN)
            self._kill_if_not_stopping(JobId(job.id))
        except (RedisError, AutolabelError) as exc:
            log.warning("cannot renew the lease of job %s: %s", job.id, exc)

    @override
    def set_current_job_working_time(
        self, current_job_working_time: float, pipeline: Any = None
    ) -> None:
        """Ignore a Redis that is restarting: RQ would end the worker and its horse."""
        with suppress(RedisError):
            super().set_current_job_working_time(current_job_working_time, pipeline)

    @override
    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Show that this worker lives, and register it again if Redis lost its data."""
        super().heartbeat(timeout, pipeline)
        worker_registration.register(self, pipeline)
        if pipeline is None and not self.connection.hexists(self.key, "birth"):
            fields = cast(Any, self.serialize())  # pyright: ignore[reportUnknownMemberType] - rq types half of it
            self.connection.hset(self.key, mapping=fields)

    @override
    def handle_warm_shutdown_request(self) -> None:
        """Called by RQ in a signal handler, as is `_shutdown`."""
        self.asked_to_end = self._shutdown_to_pass_on = True

    @override
    def _shutdown(self) -> None:
        """End now, or after the running job, which `wait_for_horse` lets stop."""
        self._stop_requested = True
        if self._running is None:
            raise StopRequested

    @override
    def wait_for_horse(self) -> Any:
        """Wait for the work horse; a requested shutdown counts as a timeout, which ends the wait.

        RQ calls `maintain_heartbeats` then, where the running job is asked to stop.
        """
        while True:
            ended = os.wait4(self.horse_pid, os.WNOHANG)
            if ended[0]:
                return ended
            if self._shutdown_to_pass_on:
                self._shutdown_to_pass_on = False
                raise HorseMonitorTimeoutException
            time.sleep(_WAIT_SECONDS)

    @override
    def fork_work_horse(self, job: QueuedJob, queue: Queue) -> None:
        self._parent = os.getpid()
        super().fork_work_horse(job, queue)

    @override
    def main_work_horse(self, job: QueuedJob, queue: Queue) -> NoReturn:
        die_with_parent(self._parent)
        super().main_work_horse(job, queue)

    def _is_idle(self) -> bool:
        try:
            return not any(queue.count for queue in self.queues)
        except RedisError:
            return False

    def _end_other_work(self) -> None:
        if self.asked_to_end:
            self.kill_horse()

    def _kill_if_not_stopping(self, job_id: JobId) -> None:
        """Kill the work horse once the grace period is over.

        Also covers jobs already failed because the lease expired or Redis lost the record.
        """
        if self._board.get(job_id).state in {JobState.QUEUED, JobState.RUNNING}:
            return
        now = time.monotonic()
        self._stopping_since = self._stopping_since or now
        if now - self._stopping_since >= self._pace.grace:
            self._cause_of_death = f"killed, because it did not react within {self._pace.grace:g} s"
            self._stopped_job_id = job_id
            self.kill_horse()

    @override
    def handle_work_horse_killed(self, job: Any, retpid: Any, ret_val: Any, rusage: Any) -> None:
        """Called by RQ when the horse failed."""
        if ret_val and os.WIFSIGNALED(ret_val):
            number = os.WTERMSIG(ret_val)
            hint = "; the machine was probably out of memory" if number == 9 else ""
            self._cause_of_death = f"its process was killed by signal {number}{hint}"

    def _close(self, job_id: JobId) -> None:
        try:
            job = self._board.get(job_id)
            if job.state.is_live:
                self._board.mark_dead(job, self._cause_of_death)
        except (NotFound, QueueUnreachable) as exc:
            log.warning("cannot record how job %s ended: %s", job_id, exc)


def run_worker(settings: Settings, make: Callable[..., JobWorker] = JobWorker) -> None:
    """Run queued jobs until SIGTERM or SIGINT, which also stop a running job.

    Raises:
        QueueUnreachable: when Redis does not answer at the start, or is lost.
        AutolabelError: when the loop of RQ ends though nobody asked for it.
    """
    url = redis_url(settings)
    board = JobBoard(url, settings.data_dir)
    redis = connect(url, socket_timeout=None)
    sweep_scratch(settings.data_dir / "scratch")
    sweep_drafts(settings.data_dir, older_than=_ABANDONED)
    log.info("waiting for jobs")
    cleanups = CleanupQueue(url, settings.data_dir)
    shards = ShardQueue(url, settings.data_dir)
    takes = [WorkerQueue(name) for name in settings.queues.split(",")]
    log.info("this worker takes %s", " and ".join(takes))
    worker = make(board, redis, Pace(), partial(sweep, settings), cleanups, shards, takes)
    try:
        worker.work(logging_level="WARNING")
    except RedisError as exc:
        raise QueueUnreachable(f"the worker lost Redis: {exc}", "Start the worker again") from exc
    if not worker.asked_to_end:
        message = "the worker ended because of an unexpected error"
        raise AutolabelError(message, "See its log, and start the worker again")
