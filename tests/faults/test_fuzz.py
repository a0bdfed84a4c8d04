"""Generated bodies, headers and addresses: nothing fails, leaks a secret or stays in memory."""

import copy
import gc
import json
import logging
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from backend.settings import Settings
from backend.stores.ledgers import LedgerFiles
from backend.stores.predictions import PredictionStore
from backend.web.app import create_app
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import CHOICES, a_job, a_project, a_version
from tests.fakes.label_studio import FakeProjects
from tests.fakes.versions import FakeVersions
from tests.fakes.world import PROJECT, World

EXAMPLES = 10_000 if os.environ.get("FAULTS") == "all" else 500
SECRETS = ("t0ken-of-label-studio", "passw0rd-of-url", "passw0rd-of-redis", "passw0rd-of-backend")
PAYLOADS = Path(__file__).parents[1] / "contract" / "payloads.json"
CALLS = [call for call in json.loads(PAYLOADS.read_text()).values() if call["body"]]
FORM_TOKEN = "token-of-the-form"

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NUMBERS = st.sampled_from(["2", "9", "0", "-1", "9" * 18, "9" * 5000, "%00", "x"])
NAMES = st.sampled_from(["job-1", "job-9", "al-0001-3f9c", "..", "%2e%2e", "%0A", "é", "x" * 300])
ADDRESSES = st.one_of(
    st.sampled_from(["/predict", "/setup", "/webhook", "/train", "/versions", "/job_status"]),
    st.builds(
        "/api/projects/{}/{}".format, NUMBERS, st.sampled_from(["jobs", "status", "versions"])
    ),
    st.builds("/api/projects/{}/versions/{}/activate".format, NUMBERS, NAMES),
    st.builds("/api/jobs/{}{}".format, NAMES, st.sampled_from(["", "/stop", "/undo"])),
    st.builds("/projects/{}{}".format, NUMBERS, st.sampled_from(["", "/start", "/readiness"])),
    st.builds("/jobs/{}{}".format, NAMES, st.sampled_from(["", "/stop", "/undo", "/pictures/x"])),
    st.text(st.characters(codec="utf-8", exclude_characters="?#"), max_size=30).map("/{}".format),
)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
HEADER_NAMES = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Cookie",
    "Host",
    "Origin",
    "Range",
    "Sec-Fetch-Site",
    "X-Forwarded-Host",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
)
HEADERS = st.dictionaries(
    st.sampled_from(HEADER_NAMES),
    VALUES | st.sampled_from(["text/html", "application/json", "cross-site", "https", "/below"]),
    max_size=3,
)


class Recorder(logging.Handler):
    """Keeps the log of one request as it would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.text += logging.Formatter("%(levelname)s %(name)s: %(message)s").format(record) + "\n"


class PredictingBackend(FakeBackend):
    """Predicts by the real use case, with a version that was trained in this folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        world = World(folder, ledgers=LedgerFiles(folder), stored=PredictionStore(folder))
        world.run()
        self._predict = world.use_cases().predict

    def predict(self, project: Any, label_config: Any, tasks: Any) -> Any:
        return self._predict(PROJECT, label_config, tasks)


TASKS = st.lists(
    st.fixed_dictionaries(
        {"id": st.integers(-1, 50) | ANYTHING, "data": st.dictionaries(st.just("image"), ANYTHING)}
    )
    | st.fixed_dictionaries({"id": st.integers(1, 50), "data": ANYTHING})
    | ANYTHING,
    max_size=4,
)


@st.composite
def label_studio_calls(draw: Any) -> dict[str, Any]:
    """A call of Label Studio in which one top-level value, or none, is something else."""
    call = copy.deepcopy(draw(st.sampled_from(CALLS)))
    body = call["body"]
    if draw(st.booleans()):
        body[draw(st.sampled_from(sorted(body)))] = draw(ANYTHING)
    return {"path": call["path"], "method": "POST", "json": body}


FORMS = st.dictionaries(
    st.sampled_from(["mode", "algorithm", "max_error", "confidence", "groups", "count", "accept"]),
    st.sampled_from(["active-learning", "auto-grouping", "fast", "5", "nan", "1e999"]) | VALUES,
)
PREDICTIONS = st.builds(
    lambda config, tasks: {
        "path": "/predict",
        "method": "POST",
        "json": {"project": "1.1", "label_config": config, "tasks": tasks},
    },
    st.just(CHOICES) | st.text(max_size=200),
    TASKS,
)
BODIES = st.one_of(
    st.builds(lambda body: {"json": body}, ANYTHING),
    st.builds(lambda body: {"data": body}, st.binary(max_size=200)),
    st.builds(lambda form: {"data": form | {"form_token": FORM_TOKEN}}, FORMS),
)
ANY_REQUEST = st.builds(
    lambda path, method, body: {"path": path, "method": method} | body,
    ADDRESSES,
    st.sampled_from(["GET", "POST", "POST", "POST", "HEAD", "DELETE", "OPTIONS"]),
    BODIES,
)
REQUESTS = label_studio_calls() | PREDICTIONS | ANY_REQUEST


@contextmanager
def recording() -> Iterator[Recorder]:
    """Log to a recorder only: pytest's handlers keep every line in memory."""
    handler, root = Recorder(), logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@pytest.fixture
def site(tmp_path: Path) -> Any:
    """The app with a secret in each setting that has one, and its backend."""
    token, url, redis, password = SECRETS
    configured = Settings(
        data_dir=tmp_path,
        label_studio_api_key=SecretStr(token),
        label_studio_url=f"http://ann:{url}@studio.example",
        redis_url=f"redis://:{redis}@redis.example:6379/0",
        basic_auth_user="ann",
        basic_auth_password=SecretStr(password),
    )
    backend = PredictingBackend(tmp_path)
    return create_app(backend, configured), backend


def reset(backend: FakeBackend) -> None:
    project, job = a_project(), a_job()
    backend.label_studio = FakeProjects({project.id: project})
    backend.versions = FakeVersions([a_version()], {project.id: a_version().name})
    backend.jobs.jobs = {job.id: job}
    backend.started.clear()
    backend.changes.clear()


def send(site: Any, request: dict[str, Any], headers: dict[str, str], *, known: bool) -> Any:
    app, backend = site
    reset(backend)
    login = {"auth": ("ann", SECRETS[3])} if known and "Authorization" not in headers else {}
    client = app.test_client()
    client.set_cookie("autolabel_form", FORM_TOKEN)
    answer = client.open(**request, headers=headers, **login)
    text = str(answer.headers) + answer.get_data(as_text=True)
    answer.close()
    return answer.status_code, text


@pytest.mark.timeout(2 * 3600)  # all examples take minutes, and more on a busy machine
def test_whatever_is_sent_is_answered_without_failing_or_telling_a_secret(site: Any) -> None:
    with recording() as recorder:
        sample = fuzzed(site, recorder)
        assert growth(site, sample, recorder) < 100_000


def fuzzed(site: Any, recorder: Recorder) -> list[tuple[dict[str, Any], dict[str, str]]]:
    """Send all examples; returns some of them."""
    sample: list[tuple[dict[str, Any], dict[str, str]]] = []

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(REQUESTS, HEADERS, st.integers(0, 9))
    def fuzz(request: dict[str, Any], headers: dict[str, str], visitor: int) -> None:
        recorder.text = ""
        status, text = send(site, request, headers, known=visitor > 0)
        assert status < 500
        assert len(recorder.text) < 5000
        for output in (text, recorder.text):
            assert "Traceback" not in output
            assert not [secret for secret in SECRETS if secret in output]
        if len(sample) < 200:
            sample.append((request, headers))

    fuzz()
    return sample


def growth(site: Any, sample: Any, recorder: Recorder) -> int:
    """Bytes that stay in memory after the same requests were sent once more."""

    def replay() -> None:
        for request, headers in sample:
            recorder.text = ""
            send(site, copy.deepcopy(request), headers, known=True)
        gc.collect()

    replay()
    tracemalloc.start()
    replay()
    before, _ = tracemalloc.get_traced_memory()
    replay()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return after - before
