"""Count annotations that changed since the last training, in Redis.

The counts only decide when to train. A training reads the annotations themselves from Label
Studio, so losing Redis costs nothing but a delay.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from threading import Lock

from backend.domain.errors import QueueUnreachable
from backend.domain.ids import ProjectId
from backend.domain.jobs import Events
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys

log = logging.getLogger(__name__)

_MOST_PENDING = 10_000
_KEEP_SECONDS = 90 * 24 * 3600
"""Bounds for numbers of projects that do not exist: anyone may send them."""

_EXPECTED_SECONDS = 600
"""How long events of our own annotations may be late; later ones count as people's."""

_CHANGED = """
local ours = math.min(tonumber(ARGV[1]), tonumber(redis.call('GET', KEYS[3]) or '0'))
local new = tonumber(ARGV[1]) - ours
if ours > 0 then redis.call('DECRBY', KEYS[3], ours) end
if new == 0 then return end
if redis.call('SISMEMBER', KEYS[2], ARGV[3]) == 0
    and redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[4]) then return end
redis.call('HINCRBY', KEYS[1], 'count', new)
redis.call('HSET', KEYS[1], 'last', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SADD', KEYS[2], ARGV[3])
"""
_CONSUMED = """
local left = tonumber(redis.call('HGET', KEYS[1], 'count') or '0') - tonumber(ARGV[1])
redis.call('HSET', KEYS[1], 'trained', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[5])
if left > 0 then
    redis.call('HSET', KEYS[1], 'count', left)
else
    redis.call('HDEL', KEYS[1], 'count', 'last')
    redis.call('SREM', KEYS[2], ARGV[3])
end
"""
_DISCOUNTED = """
local left = tonumber(redis.call('HGET', KEYS[1], 'count') or '0') - tonumber(ARGV[1])
if left > 0 then
    redis.call('HSET', KEYS[1], 'count', left)
    return
end
redis.call('HDEL', KEYS[1], 'count', 'last')
redis.call('SREM', KEYS[2], ARGV[3])
if left < 0 then
    redis.call('INCRBY', KEYS[3], -left)
    redis.call('EXPIRE', KEYS[3], ARGV[6])
end
"""


class AnnotationCounter:
    """Implements `backend.ports.jobs.AnnotationChanges`; safe for threads."""

    def __init__(
        self,
        redis_url: str | Callable[[], str],
        keys: RedisKeys,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        quick: bool = False,
    ) -> None:
        self._client = RedisClient(redis_url, quick=quick)
        self._keys = keys
        self._lock = Lock()
        self._uncounted: Counter[ProjectId] = Counter()
        self._clock = clock
        self._warned = False

    def changed(self, project: ProjectId, annotations: int = 1) -> None:
        """Add to the count, with what Redis did not answer to before."""
        with self._lock:
            waiting = self._uncounted.pop(project, 0) + annotations
        if not self._eval(_CHANGED, project, waiting):
            with self._lock:
                if len(self._uncounted) < _MOST_PENDING:
                    self._uncounted[project] += waiting

    def consumed(self, project: ProjectId, annotations: int) -> None:
        """Subtract the annotations that a training used; newer ones still count."""
        self._eval(_CONSUMED, project, annotations)

    def discount(self, project: ProjectId, annotations: int) -> None:
        """Subtract our own annotations; events that are still to come are then not counted."""
        if annotations:
            self._eval(_DISCOUNTED, project, annotations)

    def forget(self, project: ProjectId) -> None:
        """Delete the counts of a project that does not exist."""
        with suppress(QueueUnreachable), self._client.reach() as redis:
            pipe = redis.pipeline()
            pipe.delete(self._keys.events(project), self._keys.ours(project))
            pipe.srem(self._keys.changed, project)
            pipe.execute()

    def read(self, project: ProjectId) -> Events:
        """Read the counts; none if Redis does not answer."""
        try:
            with self._client.reach() as redis:
                fields: dict[bytes, bytes] = redis.hgetall(self._keys.events(project))
        except QueueUnreachable as exc:
            self._warn_once(exc)
            return Events()
        count = int(fields.get(b"count", b"0"))
        return Events(count, _time(fields.get(b"last")), _time(fields.get(b"trained")))

    def pending(self) -> Sequence[ProjectId]:
        """List the projects with changed annotations, by id."""
        try:
            with self._client.reach() as redis:
                found = redis.smembers(self._keys.changed)
                return sorted(ProjectId(int(project)) for project in found)
        except QueueUnreachable as exc:
            self._warn_once(exc)
            return []

    def _eval(self, script: str, project: ProjectId, annotations: int) -> bool:
        now = self._clock().isoformat()
        limits = _MOST_PENDING, _KEEP_SECONDS, _EXPECTED_SECONDS
        keys = self._keys.events(project), self._keys.changed, self._keys.ours(project)
        try:
            with self._client.reach() as redis:
                redis.eval(script, len(keys), *keys, annotations, now, project, *limits)
            self._warned = False
        except QueueUnreachable as exc:
            self._warn_once(exc)
            return False
        return True

    def _warn_once(self, exc: QueueUnreachable) -> None:
        if not self._warned:
            log.warning("changed annotations are not counted: %s", exc)
        self._warned = True


def _time(value: bytes | None) -> datetime | None:
    return datetime.fromisoformat(value.decode()) if value else None
