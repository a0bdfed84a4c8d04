"""Label Studio's calls, as recorded from a live one and as written down here, and our answers."""

import math

import pytest

from backend.domain.errors import LabelStudioUnreachable, Reason, ReasonCode
from backend.domain.ids import UNTRAINED
from backend.domain.jobs import JobState
from backend.web.ml_backend import COUNTABLE
from tests.contract.label_studio_calls import WRITTEN, recorded_calls, send
from tests.fakes.domain import a_job, a_version


@pytest.mark.parametrize("call", [*recorded_calls(), *WRITTEN.values()])
def test_every_call_of_label_studio_is_answered_with_success_and_a_json_object(client, call):
    answer = send(client, call)
    assert answer.status_code in {200, 201}
    assert isinstance(answer.get_json(), dict)


def test_health_is_up_while_redis_is_down(client, backend):
    backend.jobs.redis_is_up = False
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.get_json() == {
        "status": "UP",
        "model_class": "Autolabel",
        "redis": False,
        "unwatched_projects": 0,
        "nameless_webhooks": 0,
    }


class TestWebhookWithoutPayload:
    def test_is_taken_and_counted(self, client):
        answer = client.post("/webhook", json={"action": "ANNOTATION_CREATED"})
        assert answer.status_code == 200
        assert "Send payload" in answer.get_json()["reason"]
        assert client.get("/health").get_json()["nameless_webhooks"] == 1


class TestSetup:
    def test_reports_the_version_in_use(self, client):
        assert send(client, WRITTEN["setup"]).get_json() == {"model_version": "al-0001-3f9c"}

    def test_reports_a_string_for_a_project_without_a_model(self, client, backend):
        backend.versions.active.clear()
        assert send(client, WRITTEN["setup"]).get_json() == {"model_version": UNTRAINED}

    def test_reports_no_version_of_another_project_of_the_number(self, client, backend):
        backend.other_creation = 1795217061
        answer = send(client, WRITTEN["setup"], project="2.1795217061")
        assert answer.get_json() == {"model_version": UNTRAINED}

    @pytest.mark.parametrize("extra", [None, {"k": 1}, "text", 3, [1], True])
    def test_takes_extra_params_of_any_type(self, client, extra):
        assert send(client, WRITTEN["setup"], extra_params=extra).status_code == 200

    def test_refuses_a_config_without_image_and_text_in_the_reason_phrase(self, client):
        config = '<View><Audio name="a" value="$audio"/></View>'
        answer = send(client, WRITTEN["setup"], schema=config)
        assert answer.status == "400 the labeling config has no <Image> or <Text> tag"
        assert answer.get_json()["error"]["code"] == "unsupported_labeling_config"

    @pytest.mark.parametrize(
        ("changes", "named"),
        [({"project": "x"}, "project"), ({"project": 7}, "project"), ({"schema": []}, "schema")],
    )
    def test_names_the_field_that_does_not_fit(self, client, changes, named):
        answer = send(client, WRITTEN["setup"], **changes)
        assert answer.status_code == 400
        assert named in answer.get_json()["error"]["message"]


class TestPredict:
    def test_answers_one_element_a_task_in_order(self, client):
        tasks = [{"id": 1, "data": {"image": "a"}}, {"id": 2, "data": {}}]
        results = send(client, WRITTEN["predict"], tasks=tasks).get_json()["results"]
        assert [bool(result) for result in results] == [True, False]
        assert results[1] == []

    def test_suggests_nothing_beside_a_region_that_a_person_draws(self, client):
        drawn = {"id": "r", "type": "rectanglelabels", "value": {"x": 1, "y": 1}}
        answer = send(client, WRITTEN["predict"], params={"context": {"result": [drawn]}})
        assert {tuple(one["result"]) for one in answer.get_json()["results"]} == {()}

    def test_uses_the_version_that_setup_reports(self, client):
        version = send(client, WRITTEN["setup"]).get_json()["model_version"]
        results = send(client, WRITTEN["predict"]).get_json()["results"]
        assert {result["model_version"] for result in results} == {version}

    def test_answers_no_prediction_for_another_project_of_the_number(self, client, backend):
        backend.other_creation = 1795217061
        answer = send(client, WRITTEN["predict"], project="2.1795217061")
        assert answer.get_json() == {"results": [[], [], []]}

    @pytest.mark.parametrize("failure", [RuntimeError("boom"), LabelStudioUnreachable("gone")])
    def test_answers_one_empty_element_a_task_when_everything_fails(self, client, backend, failure):
        backend.failure = failure
        answer = send(client, WRITTEN["predict"])
        assert answer.status_code == 200
        assert answer.get_json() == {"results": [[], [], []]}

    def test_answers_no_element_for_no_task(self, client):
        assert send(client, WRITTEN["predict"], tasks=[]).get_json() == {"results": []}

    def test_never_sends_a_number_that_json_lacks(self, client, backend, monkeypatch):
        unsound = [{"model_version": "al-0001-3f9c", "score": math.nan, "result": []}]
        monkeypatch.setattr(backend, "predict", lambda *_: unsound)
        tasks = [{"id": 1, "data": {}}]
        assert "NaN" not in send(client, WRITTEN["predict"], tasks=tasks).get_data(as_text=True)

    @pytest.mark.parametrize(
        ("tasks", "named"), [("x", "tasks"), ([{"id": 1, "data": {}}, 5], "tasks[1]")]
    )
    def test_names_the_task_that_is_none(self, client, tasks, named):
        answer = send(client, WRITTEN["predict"], tasks=tasks)
        assert answer.status_code == 400
        assert answer.get_json()["error"]["message"].startswith(named + ":")


def with_labeled(tasks):
    project = WRITTEN["start_training"]["body"]["project"]
    return {**project, "num_tasks_with_annotations": tasks}


class TestStartTraining:
    def test_starts_a_job(self, client, backend):
        answer = send(client, WRITTEN["start_training"])
        assert answer.status_code == 201
        assert answer.get_json() == {"job": "job-1", "status": "queued"}
        assert [request.project for request in backend.started] == [2]

    def test_joins_the_running_job(self, client, backend):
        first = send(client, WRITTEN["start_training"]).get_json()["job"]
        again = send(client, WRITTEN["start_training"])
        assert again.status_code == 200
        assert again.get_json()["job"] == first

    @pytest.mark.parametrize(("labeled", "status"), [(COUNTABLE, 409), (COUNTABLE + 1, 201)])
    def test_of_a_very_large_project_leaves_the_counting_to_the_job(
        self, client, backend, labeled, status
    ):
        backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
        answer = send(client, WRITTEN["start_training"], project=with_labeled(labeled))
        assert answer.status_code == status
        assert (backend.jobs.live(2) is not None) == (status == 201)

    def test_of_a_very_large_project_is_refused_for_what_needs_no_counting(self, client, backend):
        backend.reasons = (Reason(ReasonCode.NO_UNLABELED_IMAGES, "no unlabeled image left"),)
        answer = send(client, WRITTEN["start_training"], project=with_labeled(COUNTABLE + 1))
        assert answer.status == "409 no unlabeled image left"

    def test_refusal_says_the_first_reason_in_the_reason_phrase_and_all_in_the_body(
        self, client, backend
    ):
        short = Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images", "dog", 3, 5)
        done = Reason(ReasonCode.NO_UNLABELED_IMAGES, "no image is left to label")
        backend.reasons = (short, done)
        answer = send(client, WRITTEN["start_training"])
        assert answer.status == "409 class 'dog' has 3 of 5 images (and 1 more)"
        error = answer.get_json()["error"]
        assert error["code"] == "preconditions"
        assert [reason["code"] for reason in error["reasons"]] == [
            "too_few_images",
            "no_unlabeled_images",
        ]
        assert error["reasons"][0]["have"] == 3

    def test_the_reason_phrase_is_short_ascii_whatever_the_labels_are_called(self, client, backend):
        text = f"class 'Käfer\r\nX-Evil: 1 {'犬' * 200}' has 3 of 5 images"
        backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, text),)
        phrase = send(client, WRITTEN["start_training"]).status.partition(" ")[2]
        assert phrase.isascii()
        assert phrase.isprintable()
        assert len(phrase) <= 120
        assert phrase.startswith("class 'Kafer X-Evil")

    def test_the_legacy_route_starts_the_same_job(self, client):
        first = send(client, WRITTEN["start_training"]).get_json()["job"]
        assert send(client, WRITTEN["legacy_train"]).get_json()["job"] == first


class TestEvents:
    @pytest.mark.parametrize(
        ("event", "changes"),
        [
            ("annotation_created", [(2, 1)]),
            ("annotations_created", [(2, 2)]),
            ("annotations_deleted", [(2, 3)]),
            ("annotation_skipped", []),
            ("project_updated", []),
            ("event_of_tomorrow", []),
        ],
    )
    def test_are_counted_and_start_nothing_here(self, client, backend, event, changes):
        assert send(client, WRITTEN[event]).status_code == 200
        assert backend.changes == changes
        assert backend.started == []

    def test_without_an_action_are_refused(self, client):
        answer = client.post("/webhook", json={"project": {"id": 2}})
        assert answer.status_code == 400


class TestVersions:
    def test_are_those_of_the_project_that_is_named(self, client):
        answer = client.post("/versions", json={"project": "2.17"})
        assert answer.get_json() == {"versions": ["al-0002-77aa", "al-0001-3f9c"]}

    def test_are_those_of_recent_projects_where_none_is_named(self, client, backend):
        backend.jobs.jobs["job-1"] = a_job()
        backend.versions.cards.append(a_version("al-0001-aaaa", project=3))
        answer = client.get("/versions")
        assert answer.get_json() == {"versions": ["al-0002-77aa", "al-0001-3f9c"]}

    def test_are_none_while_redis_is_down(self, client, backend):
        backend.jobs.redis_is_up = False
        assert client.get("/versions").get_json() == {"versions": []}


class TestJobStatus:
    @pytest.mark.parametrize(
        ("state", "word"),
        [
            (JobState.QUEUED, "queued"),
            (JobState.RUNNING, "started"),
            (JobState.STOPPING, "started"),
            (JobState.FINISHED, "finished"),
            (JobState.FAILED, "failed"),
            (JobState.STOPPED, "failed"),
        ],
    )
    def test_uses_the_words_of_label_studio(self, client, backend, state, word):
        backend.jobs.jobs["job-1"] = a_job(state=state)
        assert client.post("/job_status", json={"job": "job-1"}).get_json()["job_status"] == word

    def test_says_that_an_unknown_job_is_gone(self, client):
        answer = client.post("/job_status", json={"job": "job-9"})
        assert answer.status_code == 410
        assert answer.get_json()["job_status"] == "removed"
