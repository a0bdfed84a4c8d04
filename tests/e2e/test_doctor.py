"""Each fault that `autolabel doctor` is for, made on purpose: it is named, with a hint."""

import pytest
from pydantic import SecretStr

from backend.cli import doctor, project_checks
from backend.domain.ids import ProjectId
from backend.policies.switches import RECOUNT_LESS
from backend.settings import Settings
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.autolabel import JOB_SECONDS, Autolabel, settings_for
from tests.e2e.conftest import CHOICES
from tests.e2e.digits import LABELS, annotate, new_project, write_images
from tests.e2e.label_studio import new_data_dir, running
from tests.e2e.label_studio_api import import_tasks
from tests.e2e.rounds import newest_job
from tests.fakes.ml_backend import FakeMLBackend
from tests.integration.polling import eventually


@pytest.fixture
def settings(label_studio, tmp_path) -> Settings:
    """Settings with which nothing runs but Label Studio."""
    return settings_for(label_studio, tmp_path / "data")


@pytest.fixture(scope="module")
def strict(tmp_path_factory, pytestconfig):
    """A Label Studio that was upgraded and locked after a backend had been connected.

    It blocks local addresses, as 1.23.1 and later do by default, and takes no legacy tokens.
    Yields its process, the project, the backend's address and a personal access token.
    """
    templates = pytestconfig.cache.mkdir("label-studio")
    data_dir = new_data_dir(tmp_path_factory.mktemp("strict"), templates)
    with FakeMLBackend() as backend:
        with running(data_dir) as before, LabelStudioClient(before.url, before.token) as client:
            project = client.projects.create("strict", CHOICES)["id"]
            client.registration.connect(project, backend.url, "Autolabel")
            personal = client.http.request_json("POST", "/api/token/")["token"]
            off = {"legacy_api_tokens_enabled": False, "api_tokens_enabled": True}
            client.http.request_json("POST", "/api/jwt/settings", json=off)
        blocking = {"ML_BLOCK_LOCAL_IP": "true", "SSRF_PROTECTION_ENABLED": "true"}
        with running(data_dir, **blocking) as after:
            yield after, ProjectId(project), backend.url, personal


def finding(name, settings, project=None):
    (found,) = (one for one in doctor.examine(settings, project).checks if one.name == name)
    return found


def changed(settings, **changes):
    return settings.model_copy(update=changes)


def test_all_is_well_while_everything_runs(first_round, autolabel):
    checks = autolabel.json("doctor", first_round.project.id)["checks"]
    assert [check["name"] for check in checks if not check["good"]] == []
    assert {"Label Studio", "token", "Redis", "worker", "webhook"} < {one["name"] for one in checks}

    words = autolabel.run("doctor", first_round.project.id)
    assert words.returncode == 0
    assert "ok   worker: 1 worker (" in words.stdout


def test_another_web_server_is_distinguished_from_label_studio(settings, autolabel):
    found = finding(
        "Label Studio", changed(settings, label_studio_url=autolabel.settings.public_url)
    )
    assert not found.good
    assert "LABEL_STUDIO_URL" in found.hint


@pytest.mark.parametrize("key", ["", "f" * 40, "a.b.c"])
def test_a_bad_token_is_named_with_the_setting(settings, key):
    found = finding("token", changed(settings, label_studio_api_key=SecretStr(key)))
    assert not found.good
    assert "LABEL_STUDIO_API_KEY" in found.hint
    assert not key or key not in found.found + found.hint


def test_a_disabled_legacy_token_is_distinguished_from_a_wrong_one(settings, strict):
    studio, _, _, personal = strict
    here = changed(settings, label_studio_url=studio.url)
    found = finding("token", here)
    assert not found.good
    assert "legacy token" in found.found
    assert "personal access token" in found.hint
    assert finding("token", changed(here, label_studio_api_key=SecretStr(personal))).good


def test_a_label_studio_that_blocks_local_addresses_is_named_with_its_settings(settings, strict):
    studio, project, backend_url, personal = strict
    there = changed(
        settings,
        label_studio_url=studio.url,
        label_studio_api_key=SecretStr(personal),
        public_url=backend_url,
    )
    found = finding("connection", there, project)
    assert not found.good
    assert "ML_BLOCK_LOCAL_IP=false" in found.hint
    assert "SSRF_PROTECTION_ENABLED=false" in found.hint
    assert "AUTOLABEL_POLL_SECONDS" in found.hint


def test_polling_as_the_doctor_proposes_trains_where_label_studio_may_not_call(strict, tmp_path):
    studio, _, _, personal = strict
    settings = settings_for(
        studio,
        tmp_path / "data",
        label_studio_api_key=SecretStr(personal),
        auto_train=True,
        train_debounce_seconds=2,
        poll_seconds=1,
    )
    with (
        Autolabel(settings).running() as autolabel,
        LabelStudioClient(studio.url, personal) as client,
    ):
        # given a project that Label Studio does not let the backend be called for
        digits = new_project(client, tmp_path / "digits", per_class=9)
        connected = autolabel.run("connect", digits.id)
        assert "looks for new annotations itself" in connected.stdout, connected.stderr
        assert client.registration.webhooks(digits.id) == []
        # when people label and pause
        labeled = digits.some(dict.fromkeys(LABELS, 6))
        annotate(client, digits, labeled)
        # then a training starts, and its predictions and tabs are there
        job = autolabel.job_ended(newest_job(autolabel, digits.id))
        assert job["state"] == "finished", job["reason"]
        version = job["version"]
        assert client.predictions.versions(digits.id)[version] == len(digits.truth) - len(labeled)
        assert "Hard examples" in {tab["data"]["title"] for tab in client.tabs.all(digits.id)}
        # and tasks that are imported later are predicted as well
        more = [path for path, _ in write_images(tmp_path / "more", 3, ("5",))]
        new = set(client.tasks.upload_images(digits.id, more))
        eventually(lambda: new <= client.tasks.predicted_ids(digits.id, version), JOB_SECONDS)
        found = finding("connection", settings, ProjectId(digits.id))
        assert found.good
        assert "itself" in found.found


@pytest.mark.parametrize(
    ("large", "found"), [(10_000, "quick in a project of"), (1, f"{RECOUNT_LESS}=true")]
)
def test_what_an_import_recounts_is_told_where_it_takes_long(
    settings, client, project, monkeypatch, large, found
):
    import_tasks(client, project, [{"image": "/1.jpg"}])
    monkeypatch.setattr(project_checks, "LARGE", large)
    assert found in finding("imports", settings, ProjectId(project)).found


def test_switches_of_label_studio_are_found_and_mended_by_connect(settings, client, project):
    with FakeMLBackend() as backend:
        here = changed(settings, public_url=backend.url)
        client.registration.connect(project, backend.url, "Autolabel")
        assert finding("switches", here, ProjectId(project)).good
        (hook,) = client.registration.webhooks(project)
        (link,) = client.registration.backends(project)
        client.http.request_json(
            "PATCH", f"/api/webhooks/{hook['id']}/", json={**hook, "send_payload": False}
        )
        body = {"project": project, "url": backend.url, "is_interactive": True}
        client.http.request_json("PATCH", f"/api/ml/{link['id']}", json=body)
        found = finding("switches", here, ProjectId(project))
        assert not found.good
        for words in ("without payload", "interactive"):
            assert words in found.found
        client.registration.connect(project, backend.url, "Autolabel")
        assert finding("switches", here, ProjectId(project)).good

        hidden = {"show_collab_predictions": False}
        client.http.request_json("PATCH", f"/api/projects/{project}/", json=hidden)
        assert "hidden from annotators" in finding("switches", here, ProjectId(project)).found


def test_a_project_that_is_not_connected_has_a_hint_to_connect(settings, project):
    found = finding("connection", settings, ProjectId(project))
    assert not found.good
    assert f"autolabel connect {project}" in found.hint


def test_a_connected_backend_without_a_webhook_is_found(settings, client, project):
    with FakeMLBackend() as backend:
        here = changed(settings, public_url=backend.url)
        client.registration.connect(project, backend.url, "Autolabel")
        webhook = client.registration.webhooks(project)[0]["id"]
        assert finding("webhook", here, ProjectId(project)).good
        client.http.request_json("DELETE", f"/api/webhooks/{webhook}/")

        found = finding("webhook", here, ProjectId(project))
        assert finding("connection", here, ProjectId(project)).good
    assert not found.good
    assert "no active webhook" in found.found
    assert f"autolabel connect {project}" in found.hint
