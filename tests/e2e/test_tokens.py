"""A personal access token does all that a legacy token does, and neither is ever logged."""

import time

import pytest
from pydantic import SecretStr

from connectors.http import HttpClient
from tests.e2e.autolabel import Autolabel, settings_for
from tests.e2e.digits import new_project
from tests.e2e.rounds import Round

HOUR = 3600.0


@pytest.fixture
def personal(client):
    """A personal access token; Label Studio gives each user one at a time."""
    for old in client.http.request_json("GET", "/api/token/"):
        client.http.request_json("POST", "/api/token/blacklist/", json={"refresh": old["token"]})
    return client.http.request_json("POST", "/api/token/")["token"]


def test_a_job_runs_on_a_personal_access_token_and_logs_none(
    personal, label_studio, client, tmp_path
):
    labeled = {"0": 5, "1": 5}
    project = new_project(client, tmp_path / "digits", 8, labels=("0", "1"), labeled=labeled)
    key = SecretStr(personal)
    settings = settings_for(label_studio, tmp_path / "data", label_studio_api_key=key)

    with Autolabel(settings).running() as ours:
        connected = ours.run("connect", project.id)
        job = ours.json("label", project.id)

    assert connected.returncode == 0, connected.stderr
    assert job["report"]["predicted"] == 6
    assert client.projects.get(project.id)["model_version"] == job["version"]
    printed = "\n".join([*ours.lines, connected.stdout, connected.stderr])
    assert personal.rpartition(".")[2] not in printed
    assert "Bearer" not in printed


def test_the_legacy_token_is_logged_nowhere(first_round: Round, autolabel: Autolabel):
    token = autolabel.settings.label_studio_api_key.get_secret_value()
    job_log = "\n".join(autolabel.lines)
    assert first_round.job["id"] in job_log
    assert token not in job_log
    stored = [path for path in autolabel.settings.data_dir.rglob("*") if path.is_file()]
    assert stored
    assert not [path.name for path in stored if token.encode() in path.read_bytes()]


def test_an_access_token_that_expired_is_replaced(personal, label_studio):
    now = [time.monotonic()]
    http = HttpClient(label_studio.url, personal, clock=lambda: now[0])
    first = http.auth_headers()
    assert http.auth_headers() == first

    now[0] += HOUR

    assert http.request_json("GET", "/api/current-user/whoami")["email"]
    assert http.auth_headers() != first
