import threading

import pytest

from connectors.errors import Denied
from connectors.label_studio.client import LabelStudioClient
from tests.e2e.label_studio import new_data_dir, running


@pytest.fixture(scope="module")
def own(tmp_path_factory, pytestconfig):
    """A Label Studio that these tests may stop and lock."""
    folder = tmp_path_factory.mktemp("outages")
    with running(new_data_dir(folder, pytestconfig.cache.mkdir("label-studio"))) as process:
        yield process


def test_a_client_waits_for_a_label_studio_that_restarts(own):
    pauses = []
    waited = threading.Event()

    def pause(seconds):
        pauses.append(seconds)
        waited.set()
        threading.Event().wait(seconds)

    own.stop()
    restart = threading.Thread(target=lambda: (waited.wait(30), own.start()))
    restart.start()
    with LabelStudioClient(own.url, own.token, patience=240, pause=pause) as client:
        assert client.whoami()["email"] == own.username
    restart.join()

    assert pauses


def test_a_switched_off_legacy_token_is_denied_and_a_personal_one_goes_on(own):
    with LabelStudioClient(own.url, own.token) as legacy:
        personal = legacy.http.request_json("POST", "/api/token/")["token"]
        off = {"legacy_api_tokens_enabled": False, "api_tokens_enabled": True}
        legacy.http.request_json("POST", "/api/jwt/settings", json=off)

        with pytest.raises(Denied, match="legacy token authentication has been disabled") as denied:
            legacy.projects.all()

    assert "personal access token" in denied.value.hint
    with LabelStudioClient(own.url, personal) as modern:
        assert modern.projects.all() == []
