"""Clients of a Redis that accepts connections and does not answer."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from backend.domain.ids import ProjectId
from backend.jobs.annotation_counter import AnnotationCounter
from backend.jobs.redis_client import RedisClient
from backend.jobs.redis_keys import RedisKeys

PETS = ProjectId(1)


@pytest.fixture
def hanging_redis() -> Iterator[str]:
    """The URL of a server that accepts and never answers."""
    listening = socket.create_server(("127.0.0.1", 0))
    held = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                held.append(listening.accept())

    threading.Thread(target=accept, daemon=True).start()
    yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"
    listening.close()


def test_a_redis_that_hangs_holds_up_health_for_less_than_label_studio_waits(hanging_redis: str):
    client = RedisClient(hanging_redis, quick=True)
    started = time.monotonic()
    assert not client.answers()
    assert time.monotonic() - started < 1


def test_a_redis_that_hangs_is_asked_again_only_after_some_seconds(hanging_redis: str):
    now = 0.0
    client = RedisClient(hanging_redis, quick=True, clock=lambda: now)
    assert not client.answers()
    started = time.monotonic()
    assert not any(client.answers() for _ in range(100))
    assert time.monotonic() - started < 0.2
    now = 6.0
    started = time.monotonic()
    assert not client.answers()
    assert time.monotonic() - started > 0.2


def test_a_webhook_waits_less_than_a_second_and_its_count_is_not_lost(
    hanging_redis: str, redis_url: str, tmp_path: Path
):
    url = hanging_redis
    keys = RedisKeys(tmp_path)
    counter = AnnotationCounter(lambda: url, keys, quick=True)
    started = time.monotonic()
    counter.changed(PETS, 3)
    assert time.monotonic() - started < 1
    url = redis_url
    counter._client._rests_until = 0.0
    counter.changed(PETS, 2)
    assert counter.read(PETS).count == 5


def test_made_up_projects_neither_stay_for_ever_nor_without_bound(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("backend.jobs.annotation_counter._MOST_PENDING", 20)
    names = RedisKeys(tmp_path)
    counter = AnnotationCounter(redis_url, names)
    for number in range(1, 50):
        counter.changed(ProjectId(number))
    with redis.Redis.from_url(redis_url) as connection:
        keys = connection.keys()
        assert len(keys) == 21
        assert all(connection.ttl(key) > 0 for key in keys if key.decode() != names.changed)
        for project in counter.pending():
            counter.forget(project)
        assert connection.keys() == []
