"""What people changed since the last training, counted in Redis for the triggers.

The counts are hints: a training reads the truth from Label Studio, and losing Redis loses hints.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from backend.domain.errors import QueueUnreachable
from backend.domain.ids import ProjectId
from backend.domain.jobs import Events
from backend.jobs.redis_client import RedisClient

log = logging.getLogger(__name__)

_PENDING = "autolabel:changed"
"""The set of projects with something to count."""

_CHANGED = """
redis.call('HINCRBY', KEYS[1], 'count', ARGV[1])
redis.call('HSETNX', KEYS[1], 'first', ARGV[2])
redis.call('HSET', KEYS[1], 'last', ARGV[2])
redis.call('SADD', KEYS[2], ARGV[3])
"""
_CONSUMED = """
local left = tonumber(redis.call('HGET', KEYS[1], 'count') or '0') - tonumber(ARGV[1])
redis.call('HSET', KEYS[1], 'trained', ARGV[2])
if left > 0 then
    redis.call('HSET', KEYS[1], 'count', left, 'first', ARGV[2])
else
    redis.call('HDEL', KEYS[1], 'count', 'first', 'last')
    redis.call('SREM', KEYS[2], ARGV[3])
end
"""


class AnnotationCounter:
    """Implements `backend.ports.label_studio.AnnotationChanges`."""

    def __init__(
        self,
        redis_url: str | Callable[[], str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = RedisClient(redis_url)
        self._clock = clock
        self._complained = False

    def changed(self, project: ProjectId, annotations: int = 1) -> None:
        self._eval(_CHANGED, project, annotations)

    def consumed(self, project: ProjectId, annotations: int) -> None:
        """Subtract what a training has seen, so that what came meanwhile still counts."""
        self._eval(_CONSUMED, project, annotations)

    def read(self, project: ProjectId) -> Events:
        """Nothing counted where Redis does not answer."""
        try:
            with self._client.reach() as redis:
                fields: dict[bytes, bytes] = redis.hgetall(_key(project))
        except QueueUnreachable as exc:
            self._complain(exc)
            return Events()
        count = int(fields.get(b"count", b"0"))
        first, last, trained = (_time(fields.get(name)) for name in (b"first", b"last", b"trained"))
        return Events(count, first, last, trained)

    def pending(self) -> Sequence[ProjectId]:
        """Projects in which something changed since their last training, by id."""
        try:
            with self._client.reach() as redis:
                return sorted(ProjectId(int(project)) for project in redis.smembers(_PENDING))
        except QueueUnreachable as exc:
            self._complain(exc)
            return []

    def _eval(self, script: str, project: ProjectId, annotations: int) -> None:
        now = self._clock().isoformat()
        try:
            with self._client.reach() as redis:
                redis.eval(script, 2, _key(project), _PENDING, annotations, now, project)
            self._complained = False
        except QueueUnreachable as exc:
            self._complain(exc)

    def _complain(self, exc: QueueUnreachable) -> None:
        if not self._complained:
            log.warning("changes are not counted: %s", exc)
        self._complained = True


def _key(project: ProjectId) -> str:
    return f"autolabel:events:{project}"


def _time(value: bytes | None) -> datetime | None:
    return datetime.fromisoformat(value.decode()) if value else None
