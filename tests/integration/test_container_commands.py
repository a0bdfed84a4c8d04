"""The commands of the image and the compose file, run outside a container."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import redis
import yaml
from rq import Worker

from backend.jobs.redis_keys import RedisKeys
from backend.processes.healthcheck import own_address
from backend.processes.label_studio_server import free_port
from tests.fakes.compose import DOCKER
from tests.integration.polling import eventually


def instruction(name: str) -> list[str]:
    """The exec form of the first CMD or HEALTHCHECK CMD."""
    lines = (DOCKER / "Dockerfile").read_text().splitlines()
    return next(json.loads(line.split("CMD ", 1)[1]) for line in lines if line.startswith(name))


def command(words: list[str]) -> list[str]:
    """The command with the programs of this environment, as PATH has them in the image."""
    return [str(Path(sys.executable).with_name(words[0])), *words[1:]]


@pytest.fixture
def environment(redis_url, tmp_path):
    return os.environ | {
        "AUTOLABEL_REDIS_URL": redis_url,
        "AUTOLABEL_DATA_DIR": str(tmp_path),
        "AUTOLABEL_HOST": "127.0.0.1",
        "AUTOLABEL_PORT": str(free_port()),
        "AUTOLABEL_BASIC_AUTH_USER": "autolabel",
        "AUTOLABEL_BASIC_AUTH_PASSWORD": "secret",
        "LABEL_STUDIO_URL": "http://127.0.0.1:9",
        "LABEL_STUDIO_API_KEY": "0" * 40,
    }


@pytest.fixture
def start(environment):
    running = []

    def spawn(words):
        process = subprocess.Popen(command(words), env=environment)
        running.append(process)
        return process

    yield spawn
    for process in running:
        process.send_signal(signal.SIGTERM)
    for process in running:
        process.wait(60)


def healthy(environment) -> bool:
    check = command(instruction("    CMD"))
    return subprocess.run(check, env=environment, check=False).returncode == 0


def test_the_image_serves_and_its_health_check_notices_the_end(start, environment):
    assert not healthy(environment)
    web = start(instruction("CMD"))
    eventually(lambda: healthy(environment), seconds=120)
    web.terminate()
    web.wait(60)
    assert not healthy(environment)


def test_the_health_check_asks_no_proxy(start, environment):
    start(instruction("CMD"))
    proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    eventually(lambda: healthy(environment | proxy), seconds=120)


def test_the_workers_command_takes_jobs(start, redis_url, tmp_path):
    compose = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    start(shlex.split(compose["services"]["worker"]["command"]))
    with redis.Redis.from_url(redis_url) as connection:
        eventually(lambda: RedisKeys(tmp_path).queue in queues(connection), seconds=120)


def queues(connection) -> set[str]:
    return {name for worker in Worker.all(connection) for name in worker.queue_names()}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("10.0.0.7", "10.0.0.7"),
        ("localhost", "localhost"),
    ],
)
def test_the_health_check_asks_where_the_server_listens(host, address):
    assert own_address(host) == address
