"""Our JSON API, checked against the document that describes it."""

import json
import math

import jsonschema
import pytest
from openapi_spec_validator import validate

from backend.domain.errors import (
    LabelStudioDenied,
    LabelStudioUnreachable,
    NotFound,
    NoWeights,
    QueueUnreachable,
    Reason,
    ReasonCode,
    UnsupportedConfig,
)
from backend.domain.ids import ProjectId
from backend.domain.jobs import JobRequest, JobState
from backend.jobs.requests import FIELDS
from tests.fakes.domain import NOW, a_job, a_version

REFUSAL = Reason(
    ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", "dog", 3, 5, "Label 2 more"
)


@pytest.fixture
def conforms(client):
    document = client.get("/api/openapi.json").get_json()

    def check(answer, path, method="get"):
        answers = document["paths"][path][method]["responses"]
        described = answers.get(str(answer.status_code), answers["default"])
        schema = described["content"]["application/json"]["schema"]
        schema = {**schema, "components": document["components"]}
        jsonschema.validate(answer.get_json(), schema)
        return answer.get_json()

    return check


def test_the_document_is_valid_openapi(client):
    validate(client.get("/api/openapi.json").get_json())


def test_the_document_describes_every_route_of_the_api(client):
    described = {
        path.replace("{", "<").replace("}", ">")
        for path in client.get("/api/openapi.json").get_json()["paths"]
    }
    real = {
        rule.rule.replace("<project:", "<")
        for rule in client.application.url_map.iter_rules()
        if rule.rule.startswith("/api/") and rule.rule != "/api/openapi.json"
    }
    assert described == real


def test_the_document_describes_every_field_of_a_job_request_and_its_default(client):
    document = client.get("/api/openapi.json").get_json()
    fields = document["components"]["schemas"]["JobRequest"]["properties"]
    real = JobRequest(ProjectId(2))
    assert tuple(fields) == FIELDS
    for name, described in fields.items():
        default = getattr(real, name)
        assert described["default"] == (list(default) if name == "task_ids" else default), name


class TestStart:
    PATH = "/api/projects/{project}/jobs"

    def test_answers_201_with_the_new_job(self, client, backend, conforms):
        wish = {"mode": "pre-labeling", "model_version": "al-0001-3f9c", "accept": True}
        answer = client.post("/api/projects/2/jobs", json=wish)
        assert answer.status_code == 201
        assert conforms(answer, self.PATH, "post")["job"]["mode"] == "pre-labeling"
        assert backend.started[0].accept

    def test_answers_200_with_the_job_that_runs_already(self, client, conforms):
        first = client.post("/api/projects/2/jobs", json={}).get_json()["job"]["id"]
        again = client.post("/api/projects/2/jobs", json={})
        assert again.status_code == 200
        assert conforms(again, self.PATH, "post")["job"]["id"] == first

    def test_answers_409_with_every_reason_and_its_hint(self, client, backend, conforms):
        backend.reasons = (REFUSAL,)
        answer = client.post("/api/projects/2/jobs", json={})
        assert answer.status_code == 409
        error = conforms(answer, self.PATH, "post")["error"]
        assert error["code"] == "preconditions"
        assert error["reasons"] == [
            {
                "code": "too_few_images",
                "message": "class 'dog' has 3 of 5 images",
                "label": "dog",
                "have": 3,
                "need": 5,
                "hint": "Label 2 more",
            }
        ]
        assert error["hint"] == "Label 2 more"
        assert error["summary"] == [
            "The job was not started:",
            "class 'dog' has 3 of 5 images. Label 2 more.",
        ]

    @pytest.mark.parametrize(
        ("wish", "named"),
        [
            ({"mode": "magic"}, "mode"),
            ({"accept": "yes"}, "accept"),
            ({"max_error": 0}, "max_error"),
            ({"confidence": 1.5}, "confidence"),
            ({"task_ids": ["1"]}, "task_ids"),
            ({"colour": 1}, "colour"),
        ],
    )
    def test_names_the_field_that_does_not_fit(self, client, conforms, wish, named):
        answer = client.post("/api/projects/2/jobs", json=wish)
        assert answer.status_code == 400
        assert named in conforms(answer, self.PATH, "post")["error"]["message"]


class TestReading:
    def test_status_has_counts_and_reasons(self, client, backend, conforms):
        backend.reasons = (REFUSAL,)
        backend.jobs.jobs["job-1"] = a_job(progress=0.5, started_at=NOW)
        body = conforms(client.get("/api/projects/2/status"), "/api/projects/{project}/status")
        assert body["ready"] is False
        assert body["version"] == "al-0001-3f9c"
        assert body["job"]["state"] == "running"

    def test_jobs_are_listed_newest_first(self, client, backend, conforms):
        backend.jobs.jobs |= {"a": a_job("a", JobState.FINISHED), "b": a_job("b")}
        answer = client.get("/api/projects/2/jobs")
        jobs = conforms(answer, "/api/projects/{project}/jobs")["jobs"]
        assert [job["id"] for job in jobs] == ["b", "a"]

    def test_a_job_has_its_report_with_null_where_a_number_is_none(self, client, backend, conforms):
        report = {"metrics": {"accuracy": math.nan}, "labels": ("cat",)}
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED, report=report)
        answer = client.get("/api/jobs/a")
        assert conforms(answer, "/api/jobs/{job}")["report"]["metrics"] == {"accuracy": None}
        json.loads(answer.get_data(as_text=True), parse_constant=pytest.fail)

    def test_versions_say_which_one_is_in_use(self, client, conforms):
        answer = client.get("/api/projects/2/versions")
        cards = conforms(answer, "/api/projects/{project}/versions")["versions"]
        assert [(card["name"], card["current"]) for card in cards] == [
            ("al-0002-77aa", False),
            ("al-0001-3f9c", True),
        ]

    def test_a_project_without_jobs_or_versions_has_empty_lists(self, client, backend):
        backend.versions.cards.clear()
        assert client.get("/api/projects/2/jobs").get_json() == {"jobs": []}
        assert client.get("/api/projects/2/versions").get_json() == {
            "versions": [],
            "summary": (
                "No model version yet: the first active-learning job creates one, "
                "or pre-labeling imports one."
            ),
        }


class TestActing:
    def test_activating_answers_with_the_card(self, client, backend, conforms):
        answer = client.post("/api/projects/2/versions/al-0002-77aa/activate")
        path = "/api/projects/{project}/versions/{version}/activate"
        assert conforms(answer, path, "post")["current"] is True
        assert backend.version(2) == "al-0002-77aa"

    def test_stopping_answers_202_at_once(self, client, backend, conforms):
        backend.jobs.jobs["a"] = a_job("a")
        answer = client.post("/api/jobs/a/stop")
        assert answer.status_code == 202
        assert conforms(answer, "/api/jobs/{job}/stop", "post")["job"]["state"] == "stopping"

    def test_undoing_answers_202_with_the_job_that_does_it(self, client, backend, conforms):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED)
        backend.acceptances["a"] = 12
        answer = client.post("/api/jobs/a/undo")
        assert answer.status_code == 202
        job = conforms(answer, "/api/jobs/{job}/undo", "post")["job"]
        assert (job["mode"], job["state"]) == ("undo", "queued")
        assert client.post("/api/jobs/a/undo").get_json()["job"]["id"] == job["id"]

    def test_a_job_that_accepted_nothing_has_no_undo(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a", JobState.FINISHED)
        assert client.post("/api/jobs/a/undo").status_code == 404

    def test_undoing_a_live_job_is_refused(self, client, backend):
        backend.jobs.jobs["a"] = a_job("a")
        answer = client.post("/api/jobs/a/undo")
        assert answer.status_code == 409
        (reason,) = answer.get_json()["error"]["reasons"]
        assert reason["code"] == "job_is_running"

    def test_an_undo_is_not_started_like_other_jobs(self, client, backend):
        answer = client.post("/api/projects/2/jobs", json={"mode": "undo"})
        assert answer.status_code == 400
        assert "/api/jobs/JOB/undo" in answer.get_json()["error"]["hint"]
        assert backend.started == []


class TestFailing:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("GET", "/api/projects/9/status"),
            ("GET", "/api/projects/9/jobs"),
            ("GET", "/api/projects/9/versions"),
            ("POST", "/api/projects/9/jobs"),
            ("POST", "/api/projects/2/versions/al-9999-0000/activate"),
            ("GET", "/api/jobs/none"),
            ("POST", "/api/jobs/none/stop"),
            ("POST", "/api/jobs/none/undo"),
            ("GET", "/api/nothing"),
        ],
    )
    def test_what_is_not_there_is_404(self, client, method, path):
        answer = client.open(path, method=method)
        assert answer.status_code == 404
        assert answer.get_json()["error"]["code"] == "not_found"

    @pytest.mark.parametrize(
        ("failure", "status", "code"),
        [
            (LabelStudioDenied("gone", "start it"), 503, "label_studio_denied"),
            (QueueUnreachable("gone", "start it"), 503, "queue_unreachable"),
            (NotFound("gone", "start it"), 404, "not_found"),
        ],
    )
    def test_an_expected_error_has_code_message_and_hint(
        self, client, backend, failure, status, code
    ):
        backend.failure = failure
        answer = client.get("/api/projects/2/status")
        assert answer.status_code == status
        assert answer.get_json()["error"] == {
            "code": code,
            "message": "gone",
            "hint": "start it",
            "summary": ["Gone.", "Start it."],
        }

    @pytest.mark.parametrize(
        ("failure", "status", "code"),
        [
            (LabelStudioUnreachable("gone", "start it"), 503, "label_studio_unreachable"),
            (NoWeights("gone", "start it"), 503, "no_base_weights"),
            (UnsupportedConfig("gone", "start it"), 400, "unsupported_labeling_config"),
        ],
    )
    def test_an_error_that_has_a_reason_code_is_among_the_reasons(
        self, client, backend, failure, status, code
    ):
        backend.failure = failure
        answer = client.post("/api/projects/2/jobs")
        assert answer.status_code == status
        error = answer.get_json()["error"]
        assert (error["code"], error["message"], error["hint"]) == (code, "gone", "start it")
        assert [(one["code"], one["message"]) for one in error["reasons"]] == [(code, "gone")]

    def test_a_bug_answers_with_the_id_under_which_the_log_has_it(self, client, backend, caplog):
        backend.failure = RuntimeError("a secret of the inside")
        answer = client.get("/api/projects/2/status")
        text = answer.get_data(as_text=True)
        assert answer.status_code == 500
        assert answer.headers["X-Request-Id"] in answer.get_json()["error"]["message"]
        assert answer.headers["X-Request-Id"] in caplog.text
        assert "secret" not in text
        assert "Traceback" not in text

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            (b"{", "not JSON"),
            (b"\xff\xfe{}", "not JSON"),
            (b"[" * 100_000, "not JSON"),
            (b"[]", "not a JSON object"),
            (b'"text"', "not a JSON object"),
        ],
    )
    @pytest.mark.parametrize("path", ["/api/projects/2/jobs", "/webhook", "/predict", "/setup"])
    def test_a_body_that_is_no_json_object_says_so(self, client, path, body, words):
        answer = client.post(path, data=body, content_type="application/json")
        assert answer.status_code == 400
        assert words in answer.get_json()["error"]["message"]

    def test_a_half_of_a_surrogate_pair_is_quoted_back(self, client):
        answer = client.post("/job_status", data=b'{"job": "\\ud83d"}')
        assert answer.status_code == 410
        assert answer.get_json()["job"] == "\ud83d"

    def test_the_wrong_method_is_405(self, client):
        answer = client.get("/predict")
        assert answer.status_code == 405
        assert answer.get_json()["error"]["code"] == "method_not_allowed"
        assert answer.get_json()["error"]["hint"] == "See /api/openapi.json"


def test_metrics_count_requests_predictions_and_jobs(client, backend):
    backend.jobs.jobs |= {"a": a_job("a", JobState.QUEUED), "b": a_job("b", JobState.FAILED)}
    body = {"project": "2.1", "label_config": "<View/>", "tasks": [{"id": 1, "data": {"i": 1}}]}
    client.post("/predict", json=body)
    client.get("/nothing/of/ours")
    text = client.get("/metrics").get_data(as_text=True)
    assert "autolabel_predictions_served_total 1.0" in text
    assert "autolabel_queue_length 1.0" in text
    assert 'autolabel_jobs{state="failed"} 1.0' in text
    requests = 'autolabel_request_seconds_count{method="POST",route="/predict",status="200"} 1.0'
    assert requests in text
    assert 'route="unmatched"' in text


def test_metrics_say_that_redis_is_down(client, backend):
    backend.jobs.redis_is_up = False
    text = client.get("/metrics").get_data(as_text=True)
    assert "autolabel_queue_up 0.0" in text
    assert "autolabel_unwatched_projects 0.0" in text
    assert "autolabel_jobs{" not in text


def test_a_version_with_a_certificate_that_is_none_conforms(client, backend, conforms):
    backend.versions.cards[:] = [a_version(metrics={"c": {"ece": math.nan}})]
    conforms(client.get("/api/projects/2/versions"), "/api/projects/{project}/versions")


class TestLabels:
    EDIT = {"change": "rename", "labels": ["cat"], "into": "Cat"}  # noqa: RUF012 - never changed

    def test_their_uses_are_listed(self, client, backend, conforms):
        answer = conforms(client.get("/api/projects/2/labels"), "/api/projects/{project}/labels")
        assert isinstance(answer["labels"], list)

    def test_a_plan_changes_nothing(self, client, backend, conforms):
        path = "/api/projects/{project}/labels/plan"
        plan = conforms(client.post("/api/projects/2/labels/plan", json=self.EDIT), path, "post")
        assert (plan["change"], plan["into"]) == ("rename", "Cat")
        assert backend.jobs.live(2) is None

    def test_a_change_is_a_job(self, client, backend, conforms):
        answer = client.post("/api/projects/2/labels", json=self.EDIT)
        assert answer.status_code == 202
        job = conforms(answer, "/api/projects/{project}/labels", "post")["job"]
        assert job["mode"] == "relabeling"
        other = client.post("/api/projects/2/labels", json={**self.EDIT, "into": "CAT"})
        assert other.status_code == 409

    @pytest.mark.parametrize(
        "fields", [{"change": "paint"}, {"labels": [1]}, {"labels": []}, {"colour": "red"}]
    )
    def test_a_field_that_does_not_fit_is_named(self, client, backend, fields):
        answer = client.post("/api/projects/2/labels", json={**self.EDIT, **fields})
        assert answer.status_code == 400
        assert backend.jobs.live(2) is None
