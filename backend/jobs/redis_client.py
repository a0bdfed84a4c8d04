"""Connect to Redis on first use, and again after the connection was lost."""

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry

from backend.domain.errors import QueueUnreachable

HINT = "Start `autolabel up`, or set AUTOLABEL_REDIS_URL to a Redis that runs"
QUOTE_HINT = "Write special characters of the password as %XX, a slash as %2F"


QUICK: Final[Mapping[str, Any]] = {
    "socket_connect_timeout": 0.3,
    "socket_timeout": 0.3,
    "retry": Retry(NoBackoff(), 1, supported_errors=(ConnectionError,)),
}
"""For calls for which Label Studio waits one second. No second attempt after a timeout."""

REST_SECONDS = 5.0
"""Seconds in which a quick client fails at once after a Redis did not answer."""


class RedisClient:
    """A Redis that may be restarted. Calls `url` again after each failure; safe for threads.

    A `quick` client waits 0.3 s for an answer, and after a failure fails at once for some seconds.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        quick: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._quick = quick
        self._clock = clock
        self._rests_until = 0.0
        self._redis: Any = None

    @contextmanager
    def reach(self) -> Generator[Any]:
        """Yield a `redis.Redis` to talk to within the block.

        Untyped, because redis-py gives its blocking and its async client the same signatures.

        Raises:
            QueueUnreachable: for every error of the connection.
        """
        if self._clock() < self._rests_until:
            raise QueueUnreachable("Redis did not answer a moment ago", HINT)
        try:
            yield self._connected()
        except (RedisError, QueueUnreachable) as exc:
            self._redis = None
            if self._quick:
                self._rests_until = self._clock() + REST_SECONDS
            if isinstance(exc, QueueUnreachable):
                raise
            raise QueueUnreachable(f"Redis does not answer: {str(exc).rstrip('.')}", HINT) from exc

    def _connected(self) -> Any:
        redis = self._redis
        if redis is None:
            url = self._url if isinstance(self._url, str) else self._url()
            redis = self._redis = connect(url, **(QUICK if self._quick else {}))
        return redis

    def answers(self) -> bool:
        """Ping; a quick client takes less than a second."""
        try:
            with self.reach() as redis:
                redis.ping()
        except QueueUnreachable:
            return False
        return True


def connect(url: str, **options: Any) -> Any:
    """Return a `redis.Redis` that gives up within seconds, so that requests do not hang.

    One retry, because a connection kept from before Redis was restarted fails once.

    Raises:
        QueueUnreachable: when the address is no address of a Redis.
    """
    limits = {"socket_connect_timeout": 1, "socket_timeout": 5, "retry": Retry(NoBackoff(), 1)}
    from_url = cast("Callable[..., Any]", Redis.from_url)  # pyright: ignore[reportUnknownMemberType]
    try:
        return from_url(url, **(limits | options))
    except ValueError:
        # not its message, which may quote a part of the password
        message = "AUTOLABEL_REDIS_URL is not an address such as redis://:PASSWORD@HOST:6379/0"
        raise QueueUnreachable(message, QUOTE_HINT) from None
