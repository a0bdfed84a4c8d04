"""Who may call, from where, with how much."""

import base64
import json

import pytest
from pydantic import SecretStr
from waitress.server import TcpWSGIServer
from werkzeug.test import create_environ, run_wsgi_app

from backend.domain.errors import BadInput
from backend.settings import Settings
from backend.web import body_limits
from backend.web.app import create_app, serve, server
from tests.contract.label_studio_calls import WRITTEN, send

ROUTES = ["/", "/metrics", "/versions", "/api/openapi.json", "/api/projects/2/status", "/nothing"]


@pytest.fixture
def guarded(backend, tmp_path):
    password = SecretStr("open: sesame")
    settings = Settings(data_dir=tmp_path, basic_auth_user="ann", basic_auth_password=password)
    return create_app(backend, settings).test_client()


class TestCredentials:
    @pytest.mark.parametrize("path", ROUTES)
    def test_are_wanted_on_every_route(self, guarded, path):
        answer = guarded.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic")

    def test_are_not_wanted_for_health(self, guarded):
        assert guarded.get("/health").status_code == 200

    def test_let_label_studio_in(self, guarded):
        call = WRITTEN["start_training"]
        answer = guarded.post(call["path"], json=call["body"], auth=("ann", "open: sesame"))
        assert answer.status_code == 201

    @pytest.mark.parametrize(
        "auth", [("ann", "wrong"), ("bob", "open: sesame"), ("", ""), ("ann", "")]
    )
    def test_that_are_wrong_do_not(self, guarded, auth):
        assert guarded.get("/versions", auth=auth).status_code == 401

    @pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
    def test_may_have_other_letters_than_ascii(self, backend, tmp_path, encoding):
        settings = Settings(
            data_dir=tmp_path, basic_auth_user="jörg", basic_auth_password=SecretStr("müsli")
        )
        login = base64.b64encode("jörg:müsli".encode(encoding)).decode()
        client = create_app(backend, settings).test_client()
        answer = client.get("/versions", headers={"Authorization": f"Basic {login}"})
        assert answer.status_code == 200

    def test_outside_of_latin_1_are_not_shortened_to_it(self, backend, tmp_path):
        settings = Settings(
            data_dir=tmp_path, basic_auth_user="ann", basic_auth_password=SecretStr("пароль")
        )
        client = create_app(backend, settings).test_client()
        assert client.get("/versions", auth=("ann", "")).status_code == 401
        assert client.get("/versions", auth=("ann", "пароль")).status_code == 200

    @pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Bearer x", "Basic /////w=="])
    def test_that_cannot_be_read_do_not(self, guarded, header):
        answer = guarded.get("/versions", headers={"Authorization": header})
        assert answer.status_code == 401

    def test_are_wanted_where_only_a_password_is_set(self, backend, tmp_path):
        settings = Settings(data_dir=tmp_path, basic_auth_password=SecretStr("open: sesame"))
        assert create_app(backend, settings).test_client().get("/versions").status_code == 401

    def test_are_not_wanted_where_no_user_is_set(self, client):
        assert client.get("/versions").status_code == 200


class TestOrigin:
    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1", "x"])
    @pytest.mark.parametrize("path", ["/api/projects/2/jobs", "/webhook"])
    def test_of_another_site_is_refused(self, client, backend, origin, path):
        body = WRITTEN["start_training"]["body"] if path == "/webhook" else {}
        answer = client.post(path, json=body, headers={"Origin": origin})
        assert answer.status_code == 403
        assert backend.started == []

    @pytest.mark.parametrize("origin", ["http://localhost", "http://localhost:9090"])
    def test_of_our_own_page_is_taken(self, client, origin):
        answer = client.post("/api/projects/2/jobs", json={}, headers={"Origin": origin})
        assert answer.status_code == 201

    def test_is_that_of_the_proxy_where_one_replaces_the_host(self, client):
        proxied = {"Origin": "https://al.example", "X-Forwarded-Host": "al.example"}
        assert client.post("/api/projects/2/jobs", json={}, headers=proxied).status_code == 201


class TestHost:
    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:9090", "localhost.evil.example", "10.0.0.7", ""]
    )
    def test_that_another_site_may_have_pointed_at_us_is_refused_with_the_hint(self, client, host):
        answer = client.get("/api/projects/2/status", headers={"Host": host})
        assert answer.status_code == 403
        assert "AUTOLABEL_PUBLIC_URL" in answer.get_json()["error"]["message"]
        assert client.get("/health", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize(
        "host", ["localhost:9090", "127.0.0.1:9090", "127.0.0.2", "[::1]:9090", "pets.localhost"]
    )
    def test_of_this_machine_is_taken(self, client, host):
        assert client.get("/", headers={"Host": host}).status_code == 200

    def test_of_this_backend_is_accepted(self, backend, settings):
        ours = settings.model_copy(update={"public_url": "https://label.example/autolabel"})
        client = create_app(backend, ours).test_client()
        assert client.get("/", headers={"Host": "label.example"}).status_code == 200

    def test_does_not_matter_where_credentials_protect(self, guarded):
        answer = guarded.get("/", headers={"Host": "x.example"}, auth=("ann", "open: sesame"))
        assert answer.status_code == 200

    def test_does_not_matter_where_all_of_a_network_may_call(self, backend, settings):
        open_to_all = settings.model_copy(update={"host": "0.0.0.0"})
        client = create_app(backend, open_to_all).test_client()
        assert client.get("/", headers={"Host": "autolabel.internal:9090"}).status_code == 200

    def test_matters_on_an_open_network_once_the_name_is_known(self, backend, tmp_path):
        named = Settings(
            data_dir=tmp_path, host="0.0.0.0", insecure=True, public_url="http://al.example:9090"
        )
        client = create_app(backend, named).test_client()
        for host in ("al.example:9090", "10.0.0.7:9090", "localhost"):
            assert client.get("/", headers={"Host": host}).status_code == 200
        assert client.get("/", headers={"Host": "evil.example:9090"}).status_code == 403


class TestExposure:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.7", "label.example"])
    def test_to_a_network_without_credentials_is_refused(self, backend, tmp_path, host):
        with pytest.raises(BadInput, match="AUTOLABEL_INSECURE"):
            server(backend, Settings(data_dir=tmp_path, port=0, host=host))

    @pytest.mark.parametrize(
        "allowed",
        [
            {"host": "127.0.0.1"},
            {"host": "0.0.0.0", "insecure": True},
            {"host": "0.0.0.0", "basic_auth_user": "a", "basic_auth_password": SecretStr("b")},
        ],
    )
    def test_that_is_protected_or_wanted_is_allowed(self, backend, tmp_path, allowed):
        server(backend, Settings(data_dir=tmp_path, port=0, **allowed)).close()

    def test_that_is_wanted_is_in_the_log(self, backend, tmp_path, caplog, monkeypatch):
        monkeypatch.setattr(TcpWSGIServer, "run", lambda _: None)
        serve(backend, Settings(data_dir=tmp_path, port=0, host="0.0.0.0", insecure=True))
        assert "AUTOLABEL_INSECURE is set: everyone who reaches 0.0.0.0" in caplog.text


class TestSite:
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    @pytest.mark.parametrize("path", ["/events", "/projects/2/readiness", "/projects/2", "/"])
    def test_of_others_may_embed_nothing(self, client, site, path):
        embedded = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        assert client.get(path, headers=embedded).status_code == 403
        assert client.get(path, headers={"Sec-Fetch-Site": site}).status_code == 403

    def test_of_others_may_link_to_a_page(self, client):
        followed = {
            "Sec-Fetch-Site": "cross-site",
            "Sec-Fetch-Mode": "navigate",
            "Sec-Fetch-Dest": "document",
        }
        assert client.get("/projects/2", headers=followed).status_code == 200

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_of_our_own_page_and_of_the_address_bar_is_served(self, client, site):
        assert client.get("/", headers={"Sec-Fetch-Site": site}).status_code == 200


class TestProjectNumber:
    @pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "\u0663", "1e3", "-1"])
    def test_that_is_none_is_refused_everywhere(self, client, number):
        event = {"action": "ANNOTATION_CREATED", "project": {"id": number}}
        assert client.post("/webhook", json=event).status_code == 400
        setup = {"project": f"{number}.1", "schema": "<View/>"}
        assert client.post("/setup", json=setup).status_code == 400
        assert client.post(f"/versions?project={number}").status_code == 400
        assert client.get(f"/events?project={number}").status_code == 400
        assert client.get(f"/projects/{number}").status_code == 404
        assert client.get(f"/api/projects/{number}/status").status_code == 404


def test_made_up_methods_leave_nothing_in_the_metrics(client):
    client.open("/health", method="MADE-UP")
    before = client.get("/metrics").get_data(as_text=True).count("\n")
    for number in range(100):
        client.open("/health", method=f"M{number}")
        client.open(f"/{number}", method=f"M{number}")
    after = client.get("/metrics").get_data(as_text=True).count("\n")
    lines_per_series = 20
    assert after <= before + 2 * lines_per_series  # of /metrics itself, and of unmatched addresses


class TestContentType:
    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"]
    )
    def test_that_a_form_can_send_is_refused_by_the_api(self, client, backend, kind):
        answer = client.post("/api/projects/2/jobs", data=b"{}", content_type=kind)
        assert answer.status_code == 415
        assert backend.started == []

    def test_is_not_needed_without_a_body(self, client):
        assert client.post("/api/projects/2/jobs").status_code == 201


class TestSize:
    @pytest.mark.parametrize(
        ("path", "largest"),
        [
            ("/api/projects/2/jobs", body_limits.LARGEST_START),
            ("/api/jobs/job-1/stop", body_limits.LARGEST_BODY),
            ("/webhook", body_limits.LARGEST_EVENT),
            ("/predict", body_limits.LARGEST_PREDICT),
        ],
    )
    def test_of_a_body_beyond_the_limit_is_refused_before_it_is_read(self, client, path, largest):
        environ = create_environ(path, method="POST", content_type="application/json")
        environ["CONTENT_LENGTH"] = str(largest + 1)
        body, status, _ = run_wsgi_app(client.application, environ)
        assert status.startswith("413")
        assert f"{largest:,}" in json.loads(b"".join(body))["error"]["message"]

    def test_that_predict_takes_is_larger(self, client):
        tasks = [{"id": 1, "data": {"image": "x" * 2_000_000}}]
        assert send(client, WRITTEN["predict"], tasks=tasks).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/nothing", "/api/projects/9/status"])
def test_every_answer_has_the_security_headers(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


def test_the_log_has_neither_bodies_nor_credentials_nor_line_breaks(guarded, caplog):
    caplog.set_level("DEBUG")
    guarded.post("/webhook", json={"action": "secret-body"}, auth=("ann", "wrong-password"))
    guarded.get("/a%0Aforged line", auth=("ann", "open: sesame"))
    assert "secret-body" not in caplog.text
    assert "password" not in caplog.text
    assert "sesame" not in caplog.text
    assert "\nforged" not in caplog.text
