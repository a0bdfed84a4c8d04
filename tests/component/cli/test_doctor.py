"""What the doctor advises about a backend that Label Studio cannot reach."""

import pytest
from pydantic import SecretStr

from backend.cli import doctor
from backend.cli.diagnosis import WHY, diagnosis_lines
from backend.domain.errors import Unavailable
from backend.domain.ids import ProjectId
from backend.settings import Settings
from backend.stores.polled_projects import PolledProjectFiles
from tests.fakes.http_server import FakeHttpServer, Reply


def hint_for(address: str) -> str:
    lost = [{"url": address, "state": "ER", "error_message": "no answer", "title": "Autolabel"}]
    with FakeHttpServer(lambda _: Reply(body=lost)) as studio:
        settings = Settings(
            label_studio_url=studio.url,
            label_studio_api_key=SecretStr("f" * 40),
            public_url=address,
        )
        with pytest.raises(Unavailable, match="cannot reach this backend: no answer") as raised:
            doctor.connection(settings, ProjectId(1))
    return raised.value.hint


def test_every_finding_says_what_why_and_what_to_do(tmp_path):
    settings = Settings(
        label_studio_url="http://127.0.0.1:1", public_url="http://127.0.0.1:1", data_dir=tmp_path
    )
    diagnosis = doctor.examine(settings, ProjectId(1))
    assert {one.name for one in diagnosis.checks} == set(WHY)
    bad = [one for one in diagnosis.checks if not one.good]
    assert {"Label Studio", "token", "connection", "switches", "images"} <= {
        one.name for one in bad
    }
    assert all(one.found and one.why and one.hint for one in bad)
    lines = "\n".join(diagnosis_lines(diagnosis))
    assert lines.count("Why it matters") == len(bad)


def test_webhooks_without_a_project_are_counted_and_named():
    health = {"status": "UP", "unwatched_projects": 0, "nameless_webhooks": 4}
    with (
        FakeHttpServer(lambda _: Reply(body=health)) as backend,
        pytest.raises(Unavailable, match="4 webhooks named no project"),
    ):
        doctor.web(Settings(public_url=backend.url))


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_a_local_address_is_reached_by_a_label_studio_that_allows_it(host: str):
    hint = hint_for(f"http://{host}:9090")
    assert hint.startswith("Start Label Studio with ML_BLOCK_LOCAL_IP=false")
    assert "AUTOLABEL_PUBLIC_URL" not in hint


@pytest.mark.parametrize("host", ["192.168.1.7", "10.0.0.2", "autolabel.internal"])
def test_an_address_that_may_be_private_gets_both_hints(host: str):
    hint = hint_for(f"http://{host}:9090")
    for setting in ("AUTOLABEL_PUBLIC_URL", "ML_BLOCK_LOCAL_IP", "SSRF_PROTECTION_ENABLED"):
        assert setting in hint
    assert "AUTOLABEL_POLL_SECONDS" in hint


def test_a_backend_that_looks_itself_needs_no_connection_and_no_webhook(tmp_path):
    with FakeHttpServer(lambda _: Reply(body=[])) as studio:
        settings = Settings(
            label_studio_url=studio.url,
            label_studio_api_key=SecretStr("f" * 40),
            data_dir=tmp_path,
            poll_seconds=30,
        )
        with pytest.raises(Unavailable, match="not connected"):
            doctor.connection(settings, ProjectId(1))
        PolledProjectFiles(tmp_path).connect(ProjectId(1))
        for check in (doctor.connection, doctor.webhook):
            assert "itself every 30 s" in check(settings, ProjectId(1))


@pytest.mark.parametrize(("unwatched", "is_good"), [(0, True), (2, False)])
def test_projects_that_cannot_be_watched_are_found(unwatched: int, is_good: bool):
    health = {"status": "UP", "redis": True, "unwatched_projects": unwatched}
    with FakeHttpServer(lambda _: Reply(body=health)) as backend:
        settings = Settings(public_url=backend.url)
        if is_good:
            assert "answers" in doctor.web(settings)
            return
        with pytest.raises(Unavailable, match="2 projects cannot be watched"):
            doctor.web(settings)


def test_an_address_at_which_something_else_answers_is_named():
    with (
        FakeHttpServer(lambda _: Reply(body=b"<html>")) as other,
        pytest.raises(Unavailable, match="does not answer"),
    ):
        doctor.web(Settings(public_url=other.url))
