"""What tests of several kinds need. A missing service skips on a laptop and fails in CI."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from backend.domain.errors import AutolabelError
from backend.processes.embedded_redis import EmbeddedRedis


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that only these tests use."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    try:
        url = server.start()
    except AutolabelError as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(exc))
    yield url
    server.stop()


@pytest.fixture
def redis_url(redis_server: str) -> str:
    """The URL of a Redis that is empty."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server


@pytest.fixture
def no_redis(tmp_path: Path) -> str:
    """The URL of a Redis that does not answer."""
    return f"unix://{tmp_path}/nobody.sock"
