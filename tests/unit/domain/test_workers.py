"""How many workers take from a queue, and whether one is missed."""

from backend.domain.shards import WorkerQueue
from backend.domain.workers import WorkerActivity, Workforce

TRAINS = WorkerActivity("a", frozenset(WorkerQueue))
HELPS = WorkerActivity("b", frozenset({WorkerQueue.SHARDS}))


def test_workers_are_counted_by_what_they_take():
    found = Workforce((TRAINS, HELPS))
    assert found.takers(WorkerQueue.JOBS) == 1
    assert found.takers(WorkerQueue.SHARDS) == 2


def test_a_worker_is_missed_only_where_a_job_waits_that_none_takes():
    waiting = {WorkerQueue.JOBS: 1}
    assert Workforce((HELPS,), waiting).is_missed
    assert not Workforce((TRAINS, HELPS), waiting).is_missed
    assert not Workforce((), {WorkerQueue.JOBS: 0}).is_missed
    assert not Workforce().is_missed
