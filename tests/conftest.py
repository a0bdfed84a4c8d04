"""Fixtures of several kinds of test. A missing service skips on a laptop and fails in CI."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
import redis

from backend.domain.errors import AutolabelError
from backend.processes.embedded_redis import EmbeddedRedis
from tests import chromium

if TYPE_CHECKING:
    from backend.processes.label_studio_server import LabelStudioProcess

with suppress(ModuleNotFoundError):  # the environment of label-studio-ml has no hypothesis
    from hypothesis import HealthCheck, settings

    patient = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
    settings.register_profile("thorough", **patient)
    settings.register_profile("quick", **patient, max_examples=20)
    settings.load_profile("thorough")  # `make unit` passes --hypothesis-profile=quick

LONGEST = (
    "faults/test_faults.py",
    "e2e/test_databases.py",
    "integration/test_jobs_with_workers.py",  # while Label Studio's databases are set up
    "e2e/test_tutorial.py",
    "contract/test_detector_families.py",
    "e2e/test_main_job.py",
    "e2e/test_data_manager_action.py",
    "e2e/test_trust.py",
    "e2e/test_doctor.py",
    "e2e/test_commands.py",
    "e2e/test_boxes.py",
    "e2e/test_real_projects.py",
    "e2e/test_groups_and_picks.py",
    "e2e/test_trouble.py",
    "component/models/exported/test_exported_models.py",
    "component/models/texts/test_sentence_encoder.py",
    "contract/test_ultralytics_at_home.py",
    "contract/test_label_studio_ml_adapter.py",
)
"""Files that start first, the longest ones: the last to end leaves processors idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first, and the others in their order."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


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


@pytest.fixture(scope="session")
def label_studio(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator["LabelStudioProcess"]:
    """One Label Studio for the whole run; tests keep apart by making projects of their own.

    It has our Data Manager action.
    """
    from tests.e2e.label_studio import binary, new_data_dir, running
    from tests.e2e.label_studio_copy import with_action

    templates = pytestconfig.cache.mkdir("label-studio")
    data_dir = new_data_dir(tmp_path_factory.mktemp("e2e"), templates)
    command = with_action(binary(), tmp_path_factory.mktemp("label-studio") / "copy")
    with running(data_dir, command) as process:
        yield process
