import base64

import pytest

from connectors.errors import Rejected
from connectors.label_studio.client import LabelStudioClient
from connectors.label_studio.filters import where
from connectors.label_studio.registration import WEBHOOK_ACTIONS
from connectors.label_studio.tabs import Tab
from tests.e2e.label_studio import new_data_dir, running
from tests.e2e.label_studio_api import import_tasks
from tests.fakes.ml_backend import FakeMLBackend

CAT = [{"from_name": "kind", "to_name": "image", "type": "choices", "value": {"choices": ["cat"]}}]
VERSION = "al-0001-aaaa"


@pytest.fixture
def backend():
    with FakeMLBackend() as fake:
        yield fake


def titles(client, project):
    return [tab["data"]["title"] for tab in client.tabs.all(project)]


def registered(client, project):
    return client.registration.backends(project), client.registration.webhooks(project)


def labeled_beyond(annotations):
    return Tab("Labeled", [where("total_annotations", "greater", annotations)])


def test_a_tab_is_created_once_and_then_updated(client, project):
    first = client.tabs.ensure(project, [labeled_beyond(0), Tab("Other")])
    again = client.tabs.ensure(project, [labeled_beyond(1), Tab("Other")])

    assert first == again
    assert titles(client, project) == ["Default", "Labeled", "Other"]
    (tab,) = (tab for tab in client.tabs.all(project) if tab["id"] == first[0])
    (only,) = tab["data"]["filters"]["items"]
    assert only["value"] == 1


def test_a_tab_shows_the_tasks_of_its_filters_in_its_order(client, project):
    tasks = import_tasks(client, project, [{"image": f"/{n}.jpg"} for n in range(3)])
    scores = dict(zip(tasks, (0.9, 0.1, 0.5), strict=True))
    client.prediction_import.store(
        project,
        [
            {"task": task, "model_version": VERSION, "score": score, "result": CAT}
            for task, score in scores.items()
        ],
    )
    client.projects.set_model_version(project, VERSION)

    unsure = where("predictions_score", "less", 0.6)
    (tab,) = client.tabs.ensure(project, [Tab("Unsure", [unsure], "tasks:predictions_score")])

    shown = client.http.request_json("GET", "/api/tasks/", params={"view": tab})["tasks"]
    assert [task["id"] for task in shown] == [tasks[1], tasks[2]]


def test_a_tab_hides_all_columns_but_the_chosen_ones(client, project):
    import_tasks(client, project, [{"image": "/1.jpg"}])

    (chosen,) = client.tabs.ensure(project, [Tab("Few", columns=["id", "data.image"])])

    (tab,) = (tab for tab in client.tabs.all(project) if tab["id"] == chosen)
    hidden = tab["data"]["hiddenColumns"]["explore"]
    assert "tasks:total_annotations" in hidden
    assert not {"tasks:id", "tasks:data.image"} & set(hidden)


def test_a_tab_can_be_deleted_twice(client, project):
    (tab,) = client.tabs.ensure(project, [Tab("Gone")])

    client.tabs.delete(tab)
    client.tabs.delete(tab)

    assert titles(client, project) == ["Default"]


def test_connecting_makes_one_backend_and_one_webhook_however_often(client, project, backend):
    first = client.registration.connect(project, backend.url, "Autolabel")
    (made,), (hook,) = registered(client, project)
    again = client.registration.connect(project, backend.url + "/", "Autolabel")

    assert first == "backend created, webhook created"
    assert again == "backend updated, webhook already there"
    (kept,), (webhook,) = registered(client, project)
    assert (made["id"], hook["id"]) == (kept["id"], webhook["id"])
    assert webhook["url"] == f"{backend.url}/webhook"
    assert sorted(webhook["actions"]) == sorted(WEBHOOK_ACTIONS)
    assert webhook["send_for_all_actions"] is False


def test_credentials_reach_setup_and_the_webhook(client, project, backend):
    client.registration.connect(project, backend.url, "Autolabel", "me", "secret")
    (task,) = import_tasks(client, project, [{"image": "/1.jpg"}])
    client.annotations.create(task, CAT)

    expected = "Basic " + base64.b64encode(b"me:secret").decode()
    (event,) = backend.events()
    assert event.body["action"] == "ANNOTATION_CREATED"
    assert event.authorization == expected
    setups = [call for call in backend.seen if call.path == "/setup"]
    assert {call.authorization for call in setups} == {expected}


def test_a_webhook_that_label_studio_made_for_everything_is_narrowed(client, project, backend):
    body = {"project": project, "url": backend.url, "title": "Autolabel"}
    client.http.request_json("POST", "/api/ml/", json=body)
    assert client.registration.webhooks(project)[0]["send_for_all_actions"] is True

    done = client.registration.connect(project, backend.url, "Autolabel", "me", "secret")

    assert done == "backend updated, webhook updated"
    (webhook,) = client.registration.webhooks(project)
    assert webhook["send_for_all_actions"] is False
    assert "Authorization" in webhook["headers"]


def test_a_backend_that_moved_is_updated_and_its_old_webhook_removed(client, project, backend):
    with FakeMLBackend() as old:
        client.registration.connect(project, old.url, "Autolabel")
        (first,) = client.registration.backends(project)

        client.registration.connect(project, backend.url, "Autolabel")

    (moved,) = client.registration.backends(project)
    assert (moved["id"], moved["url"]) == (first["id"], backend.url)
    assert [hook["url"] for hook in client.registration.webhooks(project)] == [
        f"{backend.url}/webhook"
    ]


def test_a_backend_that_does_not_answer_is_refused_and_leaves_nothing(client, project):
    with pytest.raises(Rejected, match="AUTOLABEL_PUBLIC_URL"):
        client.registration.connect(project, "http://127.0.0.1:9", "Autolabel")

    assert client.registration.backends(project) == []
    assert client.registration.webhooks(project) == []


def test_a_host_without_a_dot_is_refused_with_a_hint(client, project):
    with pytest.raises(Rejected, match="dotted alias"):
        client.registration.connect(project, "http://ml-backend:9090", "Autolabel")

    assert client.registration.backends(project) == []


def test_a_backend_connected_after_another_one_has_a_warning(client, project, backend):
    with FakeMLBackend() as other:
        client.registration.connect(project, other.url, "Other")

        done = client.registration.connect(project, backend.url, "Autolabel")

    assert "'Other' was connected first" in done


def test_a_refusal_repeats_what_label_studio_says(client, project):
    with pytest.raises(Rejected, match="health check failed") as refused:
        client.registration.connect(project, "http://127.0.0.1:9", "Autolabel")

    assert "<a" not in str(refused.value)


def test_disconnecting_removes_backend_and_webhook(client, project, backend):
    client.registration.connect(project, backend.url, "Autolabel")

    client.registration.disconnect(project, backend.url)
    client.registration.disconnect(project, backend.url)

    assert client.registration.backends(project) == []
    assert client.registration.webhooks(project) == []


def test_the_title_of_a_connected_backend_survives_the_deletion_of_predictions(
    client, project, backend
):
    client.registration.connect(project, backend.url, "Autolabel")
    (task,) = import_tasks(client, project, [{"image": "/1.jpg"}])
    client.prediction_import.store(
        project, [{"task": task, "model_version": VERSION, "score": 0.5, "result": CAT}]
    )
    client.projects.set_model_version(project, "Autolabel")

    client.predictions.delete_version(project, VERSION)

    assert client.projects.get(project)["model_version"] == "Autolabel"


@pytest.mark.parametrize(
    "environment",
    [
        {"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"},
        {"ML_BLOCK_LOCAL_IP": "false", "SSRF_PROTECTION_ENABLED": "true"},
        {"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "false"},
    ],
)
def test_blocked_local_addresses_are_named_with_both_settings(
    environment, backend, tmp_path, pytestconfig
):
    data_dir = new_data_dir(tmp_path, pytestconfig.cache.mkdir("label-studio"))
    with (
        running(data_dir, **environment) as strict,
        LabelStudioClient(strict.url, strict.token) as client,
    ):
        project = client.projects.create("strict", "<View/>")["id"]

        with pytest.raises(Rejected, match="ML_BLOCK_LOCAL_IP=false") as refused:
            client.registration.connect(project, backend.url, "Autolabel")

        assert "SSRF_PROTECTION_ENABLED=false" in refused.value.hint
        assert client.registration.backends(project) == []
        assert client.registration.webhooks(project) == []
