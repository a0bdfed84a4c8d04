"""What goes wrong in Label Studio while a job runs: nothing is lost, doubled or half published."""

import pytest

from backend.processes.label_studio_server import LabelStudioProcess
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import CONFIG, new_project
from tests.e2e.label_studio_api import delete_project, delete_tasks
from tests.fakes.gate import Gate
from tests.integration.polling import eventually

LISTED = b"GET /data/upload/"
"""What a job asks for once it has listed the tasks."""

IMPORT = b"/import/predictions"


@pytest.fixture(scope="module")
def gate(label_studio: LabelStudioProcess):
    """What the backend of this module takes for Label Studio."""
    with Gate(label_studio.port) as gate:
        yield gate


@pytest.fixture(scope="module")
def behind(gate, label_studio, tmp_path_factory):
    """Our processes, behind the gate."""
    data_dir = tmp_path_factory.mktemp("behind")
    settings = settings_for(label_studio, data_dir, label_studio_url=gate.url)
    with Autolabel(settings).running() as ours:
        yield ours


@pytest.fixture
def digits(client, tmp_path):
    """Sixteen digits, ten of them annotated."""
    project = new_project(client, tmp_path, 8, labels=("0", "1"), labeled={"0": 5, "1": 5})
    yield project
    delete_project(client, project.id)


def started(behind, project):
    return behind.call("POST", f"/api/projects/{project.id}/jobs", {}).json()["job"]["id"]


def waiting(project):
    return set(project.truth) - set(project.some({"0": 5, "1": 5}))


def test_a_label_studio_that_goes_away_is_waited_for(gate, behind, client, digits):
    gate.watch_for(LISTED)
    job = started(behind, digits)
    assert gate.arrived.wait(60)
    gate.shut()
    gate.let_go()
    eventually(lambda: behind.call("GET", f"/api/jobs/{job}").json()["state"] == "running")
    gate.open()

    ended = behind.job_ended(job)

    assert ended["state"] == "finished", ended["reason"]
    assert ended["report"]["unreadable"] == []
    predicted = [one["task"] for one in client.predictions.of_version(digits.id, ended["version"])]
    assert sorted(predicted) == sorted(waiting(digits))


def test_an_import_that_breaks_off_is_neither_lost_nor_doubled(gate, behind, client, digits):
    gate.watch_for(IMPORT)
    job = started(behind, digits)
    assert gate.arrived.wait(60)
    gate.shut()
    gate.let_go()
    step = "waiting for Label Studio"
    eventually(lambda: behind.call("GET", f"/api/jobs/{job}").json()["step"] == step)
    gate.open()

    ended = behind.job_ended(job)

    assert ended["state"] == "finished", ended["reason"]
    assert ended["report"]["predicted"] == 6
    predicted = [one["task"] for one in client.predictions.of_version(digits.id, ended["version"])]
    assert sorted(predicted) == sorted(waiting(digits))


def test_a_task_deleted_meanwhile_costs_itself_only(gate, behind, client, digits):
    gate.watch_for(IMPORT)
    job = started(behind, digits)
    assert gate.arrived.wait(60)
    deleted = min(waiting(digits))
    delete_tasks(client, digits.id, [deleted])
    gate.let_go()

    ended = behind.job_ended(job)

    assert ended["state"] == "finished", ended["reason"]
    assert [one["task"] for one in ended["report"]["dropped"]] == [deleted]
    predicted = {one["task"] for one in client.predictions.of_version(digits.id, ended["version"])}
    assert predicted == waiting(digits) - {deleted}


def test_a_config_changed_meanwhile_fails_the_job_with_nothing_shown(gate, behind, client, digits):
    gate.watch_for(LISTED)
    job = started(behind, digits)
    assert gate.arrived.wait(60)
    options = "".join(f'<Choice value="{label}"/>' for label in "012")
    change = {"label_config": CONFIG.format(options)}
    client.http.request_json("PATCH", f"/api/projects/{digits.id}", json=change)
    gate.let_go()

    ended = behind.job_ended(job)

    assert ended["state"] == "failed"
    assert "the labeling config changed while the job ran" in ended["reason"]
    assert not any(client.predictions.versions(digits.id).values())
    versions = behind.call("GET", f"/api/projects/{digits.id}/versions").json()["versions"]
    assert not any(version["current"] for version in versions)


def test_a_label_studio_that_stays_away_is_named_and_answers_stay_short(gate, behind, digits):
    gate.shut()
    try:
        answer = behind.call("GET", f"/api/projects/{digits.id}/status")
        job = behind.call("POST", f"/api/projects/{digits.id}/jobs", {})
        health = behind.call("GET", "/health")
        typed = behind.run("label", digits.id)
    finally:
        gate.open()

    assert (answer.status_code, job.status_code, health.status_code) == (503, 503, 200)
    assert answer.json()["error"]["code"] == "label_studio_unreachable"
    assert gate.url.removeprefix("http://") in answer.json()["error"]["message"]
    assert typed.returncode == 1
    assert "Traceback" not in answer.text + job.text + typed.stderr


@pytest.mark.parametrize(
    ("path", "content", "status", "words"),
    [
        ("/webhook", b'{"action": ', 400, "not JSON"),
        ("/webhook", b'{"action": "START_TRAINING", "project": {"id": 999999}}', 404, "999999"),
        ("/setup", b'{"project": "1.1", "schema": "<View/>"}', 400, "Image"),
        ("/predict", b'{"project": "1.1", "label_config": "", "tasks": 5}', 400, "tasks"),
        ("/api/projects/999999/jobs", b"{}", 404, "999999"),
        ("/api/projects/1/jobs", b'{"mode": 5}', 400, "mode"),
        ("/api/jobs/job-1/stop", b" " * 1_000_001, 413, "1,000,000"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(behind, path, content, status, words):
    headers = {"Content-Type": "application/json"}
    answer = behind.send(path, content, headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert "Traceback" not in answer.text
