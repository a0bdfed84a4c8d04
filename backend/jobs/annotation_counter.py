"""Count annotations that changed since the last training, in Redis.

The counts only decide when to train. A training reads the annotations themselves from Label
Studio, so losing Redis costs nothing but a delay.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from backend.domain.errors import QueueUnreachable
from backend.domain.ids import ProjectId
from backend.domain.jobs import Events
from backend.jobs.redis_client import RedisClient

log = logging.getLogger(__name__)

_PENDING = "autolabel:changed"
"""Key of the set of projects with changed annotations."""

_MOST_PENDING = 10_000
_KEEP_SECONDS = 90 * 24 * 3600
"""Bounds for numbers of projects that do not exist: anyone may send them."""

_CHANGED = """
if redis.call('SISMEMBER', KEYS[2], ARGV[3]) == 0
    and redis.call('SCARD', KEYS[2]) >= tonumber(ARGV[4]) then return end
redis.call('HINCRBY', KEYS[1], 'count', ARGV[1])
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


class AnnotationCounter:
    """Implements `backend.ports.jobs.AnnotationChanges`."""

    def __init__(
        self,
        redis_url: str | Callable[[], str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        *,
        quick: bool = False,
    ) -> None:
        self._client = RedisClient(redis_url, quick=quick)
        self._uncounted: Counter[ProjectId] = Counter()
        self._clock = clock
        self._warned = False

    def changed(self, project: ProjectId, annotations: int = 1) -> None:
        """Add to the count, with what Redis did not answer to before."""
        waiting = self._uncounted.pop(project, 0) + annotations
        if not self._eval(_CHANGED, project, waiting) and len(self._uncounted) < _MOST_PENDING:
            self._uncounted[project] += waiting

    def consumed(self, project: ProjectId, annotations: int) -> None:
        """Subtract the annotations that a training used; newer ones still count."""
        self._eval(_CONSUMED, project, annotations)

    def forget(self, project: ProjectId) -> None:
        """Delete the counts of a project that does not exist."""
        with suppress(QueueUnreachable), self._client.reach() as redis:
            pipe = redis.pipeline()
            pipe.delete(_key(project))
            pipe.srem(_PENDING, project)
            pipe.execute()

    def read(self, project: ProjectId) -> Events:
        """Read the counts; none if Redis does not answer."""
        try:
            with self._client.reach() as redis:
                fields: dict[bytes, bytes] = redis.hgetall(_key(project))
        except QueueUnreachable as exc:
            self._warn_once(exc)
            return Events()
        count = int(fields.get(b"count", b"0"))
        return Events(count, _time(fields.get(b"last")), _time(fields.get(b"trained")))

    def pending(self) -> Sequence[ProjectId]:
        """List the projects with changed annotations, by id."""
        try:
            with self._client.reach() as redis:
                return sorted(ProjectId(int(project)) for project in redis.smembers(_PENDING))
        except QueueUnreachable as exc:
            self._warn_once(exc)
            return []

    def _eval(self, script: str, project: ProjectId, annotations: int) -> bool:
        now = self._clock().isoformat()
        arguments = annotations, now, project, _MOST_PENDING, _KEEP_SECONDS
        try:
            with self._client.reach() as redis:
                redis.eval(script, 2, _key(project), _PENDING, *arguments)
            self._warned = False
        except QueueUnreachable as exc:
            self._warn_once(exc)
            return False
        return True

    def _warn_once(self, exc: QueueUnreachable) -> None:
        if not self._warned:
            log.warning("changed annotations are not counted: %s", exc)
        self._warned = True


def _key(project: ProjectId) -> str:
    return f"autolabel:events:{project}"


def _time(value: bytes | None) -> datetime | None:
    return datetime.fromisoformat(value.decode()) if value else None
