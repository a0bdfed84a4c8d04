"""Fixtures of several kinds of test. A missing service skips on a laptop and fails in CI."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import pytest
import redis

from backend.domain.errors import AutolabelError
from backend.processes.embedded_redis import EmbeddedRedis
from tests import chromium

with suppress(ModuleNotFoundError):  # the environment of label-studio-ml has no hypothesis
    from hypothesis import HealthCheck, settings

    patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("thorough", **patient)
    settings.register_profile("quick", **patient, max_examples=20)
    settings.load_profile("thorough")  # `make unit` passes --hypothesis-profile=quick


def missing(service: str) -> NoReturn:
    """Skip the test, or fail it in CI, where every service must be installed."""
    if os.environ.get("CI") == "true":
        pytest.fail(service)
    pytest.skip(service)


@pytest.fixture(scope="session")
def chromium_command() -> str:
    """The path of an installed Chromium."""
    return chromium.command() or missing("Chromium is not installed")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a Redis that only these tests use."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"))
    try:
        url = server.start()
    except AutolabelError as exc:
        missing(str(exc))
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
