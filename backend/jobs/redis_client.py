"""The one way to Redis: connected on first use, found anew after it was lost."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from backend.domain.errors import QueueUnreachable

HINT = "Start `autolabel up`, or set AUTOLABEL_REDIS_URL to a Redis that runs"
QUOTE_HINT = "Write special characters of the password as %XX, a slash as %2F"


class RedisClient:
    """A Redis that may come and go. `url` is asked again after each failure; for many threads."""

    def __init__(self, url: str | Callable[[], str]) -> None:
        self._url = url
        self._redis: Any = None

    @contextmanager
    def reach(self) -> Generator[Any]:
        """A `redis.Redis` to talk to within the block.

        Untyped, because redis-py gives its blocking and its async client the same signatures.

        Raises:
            QueueUnreachable: for whatever goes wrong between us and Redis.
        """
        try:
            redis = self._redis
            if redis is None:
                redis = connect(self._url if isinstance(self._url, str) else self._url())
                self._redis = redis
            yield redis
        except RedisError as exc:
            self._redis = None
            raise QueueUnreachable(f"Redis does not answer: {str(exc).rstrip('.')}", HINT) from exc

    def answers(self) -> bool:
        """Ping; takes at most a few seconds."""
        try:
            with self.reach() as redis:
                redis.ping()
        except QueueUnreachable:
            return False
        return True


def connect(url: str, **options: Any) -> Any:
    """A `redis.Redis` that gives up within seconds: no request may wait for one that is gone.

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
