"""The Python client against the real app, and the documented example."""

import threading
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from backend.client import AutolabelClient, ClientJob, RequestFailed, retrieve_predictions
from backend.domain.jobs import JobState, Mode
from backend.web.app import create_app, server
from tests.e2e.reader import python_blocks
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import TOO_FEW_DOGS, a_job, a_project
from tests.fakes.label_studio import FakeProjects

SDK = Path(__file__).parents[2] / "docs" / "sdk.md"


@pytest.fixture
def autolabel(backend, settings):
    app = create_app(backend, settings)
    with AutolabelClient("http://localhost", transport=httpx.WSGITransport(app=app)) as client:
        yield client


def finish(backend, job, **report):
    ended = replace(backend.jobs.get(job), state=JobState.FINISHED, progress=1.0, reason="done")
    backend.jobs.jobs[job] = replace(ended, report=report)


def test_a_job_is_started_with_what_was_asked(autolabel, backend):
    job = autolabel.start(
        2, "pre-labeling", model_version="al-0002-77aa", task_ids=[3, 5], max_error=0.1
    )
    (asked,) = backend.started
    assert (asked.mode, asked.model_version) == (Mode.PRE_LABELING, "al-0002-77aa")
    assert (asked.task_ids, asked.max_error) == ((3, 5), 0.1)
    assert (job.state, job.project, job.has_ended, job.report) == ("queued", 2, False, {})


def test_a_refusal_carries_every_reason(autolabel, backend):
    backend.reasons = (TOO_FEW_DOGS,)
    with pytest.raises(RequestFailed) as refused:
        autolabel.start(2)
    assert refused.value.code == "preconditions"
    assert refused.value.reasons == (TOO_FEW_DOGS.message,)


def test_waiting_ends_with_the_job_and_its_report(autolabel, backend):
    job = autolabel.start(2)
    looks = []

    def pause(seconds):
        looks.append(seconds)
        if len(looks) == 3:
            finish(backend, job.id, predicted=7)

    done = autolabel.wait(job, every=0.5, pause=pause)
    assert looks == [0.5] * 3
    assert done.succeeded
    assert done.report == {"predicted": 7}
    assert autolabel.report(job) == autolabel.report(job.id) == {"predicted": 7}


def test_one_call_starts_and_waits(autolabel, backend):
    backend.jobs.jobs["job-1"] = a_job("job-1", JobState.RUNNING)
    threading.Timer(0.2, finish, (backend, "job-1")).start()
    assert autolabel.wait(autolabel.start(2), progress=False, every=0.05).reason == "done"


def test_jobs_are_listed_stopped_and_undone(autolabel, backend):
    backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report={"accepted": 12})
    backend.acceptances["a"] = 12
    assert [job.id for job in autolabel.jobs(2)] == ["a"]
    undoing = autolabel.undo("a")
    assert undoing.mode == "undo"
    assert autolabel.stop(undoing).state == "stopped"
    with pytest.raises(RequestFailed, match="no job"):
        autolabel.job("b")


def test_status_and_versions_are_those_of_the_api(autolabel):
    assert autolabel.status(2)["project"]["title"] == "Pets"
    assert [one["name"] for one in autolabel.versions(2)] == ["al-0002-77aa", "al-0001-3f9c"]
    assert autolabel.activate(2, "al-0002-77aa")["current"]


def test_a_backend_that_is_away_for_a_moment_is_asked_again():
    away = [httpx.ConnectError("away")] * 3
    body = {"id": "a", "project": 2, "mode": "undo", "state": "finished", "progress": 1.0}
    body |= {"step": "", "reason": "done", "version": None, "report": None}

    def answer(request):
        if away:
            raise away.pop()
        return httpx.Response(200, json=body)

    with AutolabelClient(transport=httpx.MockTransport(answer)) as client:
        job = ClientJob("a", 2, "undo", "running", 0.0, "", "", None)
        assert client.wait(job, progress=False, every=1, pause=lambda _: None).succeeded
        away += [httpx.ConnectError("away")] * 99
        with pytest.raises(RequestFailed, match="away"):
            client.wait(job, progress=False, every=1, pause=lambda _: None)


def test_what_is_no_backend_is_told():
    page = httpx.MockTransport(lambda request: httpx.Response(200, text="<html>"))
    with AutolabelClient(transport=page) as client, pytest.raises(RequestFailed, match="address"):
        client.status(2)


def test_the_login_is_sent(backend, settings):
    closed = settings.model_copy(update={"basic_auth_user": "ann", "basic_auth_password": _Secret})
    app = create_app(backend, closed)
    transport = httpx.WSGITransport(app=app)
    with AutolabelClient("http://localhost", "ann", "secret", transport=transport) as client:
        assert client.status(2)
    with (
        AutolabelClient("http://localhost", "ann", "wrong", transport=transport) as client,
        pytest.raises(RequestFailed),
    ):
        client.status(2)


class _Secret:
    """A password, as settings hold it."""

    @staticmethod
    def get_secret_value():
        return "secret"


class Sdk:
    """What `retrieve_predictions` calls of label_studio_sdk."""

    def __init__(self, tasks):
        self.asked, self._tasks = [], tasks
        self.tasks = self.actions = self

    def list(self, **query):
        return [type("Task", (), {"id": task}) for task in self._tasks]

    def create(self, *, project, id, selected_items, request_options):
        assert request_options["timeout_in_seconds"] > 100  # what Label Studio waits for the answer
        self.asked.append((project, id, selected_items["included"]))


def test_predictions_are_retrieved_in_batches():
    sdk = Sdk(range(1, 6))
    assert retrieve_predictions(sdk, 7, size=2) == 5
    assert [included for _, _, included in sdk.asked] == [[1, 2], [3, 4], [5]]
    assert {name for _, name, _ in sdk.asked} == {"retrieve_tasks_predictions"}
    assert retrieve_predictions(sdk, 7, [4]) == 1


class PromptBackend(FakeBackend):
    """Its jobs have ended when they are asked for the first time."""

    def start(self, request, *, count=True):
        job, is_new = super().start(request, count=count)
        finish(self, job.id, predicted=40, accepted=12)
        return job, is_new


def test_the_documented_example_runs(settings, monkeypatch, capsys):
    backend = PromptBackend(label_studio=FakeProjects({2: a_project()}))
    example = python_blocks(SDK)[0]
    web = server(backend, settings.model_copy(update={"port": 0}))
    serving = threading.Thread(target=web.run, daemon=True)
    serving.start()
    monkeypatch.setenv("AUTOLABEL_URL", f"http://127.0.0.1:{web.port}")
    monkeypatch.setenv("PROJECT", "2")
    try:
        exec(compile(example, str(SDK), "exec"), {})
    finally:
        web.close()
        serving.join(10)
    assert "predicted 40 accepted 12" in capsys.readouterr().out
    (asked,) = backend.started
    assert (asked.accept, asked.max_error) == (True, 0.05)
