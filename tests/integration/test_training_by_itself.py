"""Label Studio's events over HTTP, counted in a real Redis, become one job."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from backend import real_parts, wiring
from backend.domain.answers import Choices
from backend.domain.ids import Label, ProjectId, TaskId
from backend.domain.jobs import JobState
from backend.services.application import Application
from backend.settings import Settings
from backend.web import app as web
from tests.fakes.label_studio import FakeLabelStudio
from tests.integration.polling import eventually

PETS, CARS = ProjectId(1), ProjectId(2)
CREATED = {"action": "ANNOTATION_CREATED", "project": {"id": PETS}, "annotation": {"id": 1}}
CONFIRMED = {
    "action": "ANNOTATIONS_CREATED",
    "project": {"id": PETS},
    "annotation": [{"id": number} for number in range(2, 12)],
}


def annotated(*numbers: int) -> dict[TaskId, dict[str, Choices] | None]:
    people: dict[TaskId, dict[str, Choices] | None] = {TaskId(n): None for n in range(1, 40)}
    answers = {TaskId(n): {"c": Choices((Label("dog" if n % 2 else "cat"),))} for n in numbers}
    return people | answers


@pytest.fixture
def label_studio() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.fixture
def app(redis_url: str, tmp_path: Path, label_studio: FakeLabelStudio) -> Application:
    settings = Settings(
        data_dir=tmp_path,
        redis_url=redis_url,
        label_studio_api_key=SecretStr("x"),
        train_debounce_seconds=0.2,
    )
    parts = real_parts.real_parts(settings, patience=0)
    return wiring.application(replace(parts, label_studio=label_studio, labeled=None))


@pytest.fixture
def http(app: Application, tmp_path: Path) -> FlaskClient:
    return web.create_app(app, Settings(data_dir=tmp_path)).test_client()


def test_annotations_start_one_job_once_the_project_is_ready(
    app: Application, http: FlaskClient, label_studio: FakeLabelStudio
):
    # given two web processes that watch, and a project with too few labels
    label_studio.people = annotated(1, 2)
    with wiring.watcher(app).running(), wiring.watcher(app).running():
        assert http.post("/webhook", json=CREATED).status_code == 200
        eventually(lambda: "class" in trigger(http))
        assert app.jobs.history(PETS) == []

        # when enough are confirmed in bulk
        label_studio.people = annotated(*range(1, 13))
        assert http.post("/webhook", json=CONFIRMED).status_code == 200

        # then one job waits for a worker, and the status says what is going on
        (job,) = eventually(lambda: app.jobs.history(PETS))
        assert job.state is JobState.QUEUED
        eventually(lambda: trigger(http) == "a training of this project is running")
    assert len(app.jobs.history(PETS)) == 1


def test_a_damaged_ledger_of_one_project_stops_no_other(
    app: Application,
    http: FlaskClient,
    label_studio: FakeLabelStudio,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
):
    label_studio.known[CARS] = replace(label_studio.known[PETS], id=CARS)
    label_studio.people = annotated(*range(1, 13))
    ledger = tmp_path / "projects" / str(PETS) / "ledger.json"
    ledger.parent.mkdir(parents=True)
    ledger.write_text('{"audit": ')
    with wiring.watcher(app).running():
        for project in (PETS, CARS):
            confirmed = {**CONFIRMED, "project": {"id": project}}
            assert http.post("/webhook", json=confirmed).status_code == 200
        eventually(lambda: app.jobs.history(CARS))
        eventually(lambda: http.get("/health").get_json()["unwatched_projects"] == 1)
    assert app.jobs.history(PETS) == []
    assert f"project {PETS}: no training started" in caplog.text
    assert str(ledger) in caplog.text


def trigger(http: FlaskClient) -> str:
    return http.get(f"/api/projects/{PETS}/status").get_json()["trigger"]
