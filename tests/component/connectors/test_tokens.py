import logging
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.errors import Denied, Unreachable
from connectors.http import HttpClient
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHttpServer, Reply, in_turn
from tests.fakes.token_server import LIFETIME, PERSONAL, FakeTokens


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def tokens():
    return FakeTokens()


@pytest.fixture
def server(tokens):
    with FakeHttpServer(tokens) as server:
        yield server


@pytest.fixture
def http(server, clock):
    with HttpClient(server.url, PERSONAL, pause=clock.pause, clock=clock) as http:
        yield http


def test_a_personal_token_is_exchanged_once_for_many_calls(http, tokens):
    for _ in range(3):
        http.request_json("GET", "/api/projects")

    assert tokens.refreshes == 1


def test_an_access_token_is_replaced_before_it_ends(http, tokens, clock, server):
    http.request_json("GET", "/first")
    clock.now += LIFETIME - 60
    http.request_json("GET", "/still-good")
    assert tokens.refreshes == 1

    clock.now += 40
    http.request_json("GET", "/about-to-end")

    assert tokens.refreshes == 2
    assert server.paths().count("/about-to-end") == 1  # never refused first


def test_a_refused_access_token_is_replaced_once_and_the_call_repeated(http, tokens):
    http.request_json("GET", "/first")
    tokens.revoke()

    assert http.request_json("POST", "/import", json=[1]) == {"path": "/import"}
    assert tokens.refreshes == 2


def test_a_call_refused_twice_is_denied(clock):
    def stubborn(asked):
        return Reply(body={"access": "a.b.c"}) if "refresh" in asked.path else Reply(401)

    with FakeHttpServer(stubborn) as server, pytest.raises(Denied):
        http = HttpClient(server.url, PERSONAL, patience=60, pause=clock.pause, clock=clock)
        http.request_json("GET", "/x")

    assert server.paths().count("/x") == 2


def test_a_revoked_personal_token_is_denied_with_a_hint(server, clock):
    with pytest.raises(Denied, match="Create a personal access token"):
        HttpClient(server.url, "revoked.personal.token", clock=clock).request_json("GET", "/x")


def test_a_disabled_legacy_token_is_denied_in_the_words_of_label_studio():
    disabled = Reply(401, {"detail": "legacy token authentication has been disabled"})
    with (
        FakeHttpServer(in_turn(disabled)) as server,
        pytest.raises(Denied, match="legacy token authentication has been disabled") as denied,
    ):
        HttpClient(server.url, "f" * 40).request_json("GET", "/api/projects")

    assert "personal access token" in denied.value.hint
    assert len(server.asked) == 1


def test_a_label_studio_that_is_away_during_a_refresh_is_waited_for(tokens, clock):
    away = [Reply(503), Reply(503)]
    with FakeHttpServer(lambda asked: away.pop() if away else tokens(asked)) as server:
        http = HttpClient(server.url, PERSONAL, patience=60, pause=clock.pause, clock=clock)
        http.request_json("GET", "/x")

    assert tokens.refreshes == 1


def test_a_refresh_answered_with_something_else_is_unreachable():
    with FakeHttpServer(in_turn(Reply(body={"hello": 1}))) as server, pytest.raises(Unreachable):
        HttpClient(server.url, PERSONAL).request_json("GET", "/x")


def test_threads_share_one_refresh(http, tokens):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: http.request_json("GET", f"/{n}"), range(32)))

    assert answers == [{"path": f"/{number}"} for number in range(32)]
    assert tokens.refreshes == 1


def test_threads_whose_token_is_refused_together_share_one_refresh(http, tokens):
    http.request_json("GET", "/first")
    tokens.revoke()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: http.request_json("GET", f"/{n}"), range(16)))

    assert answers == [{"path": f"/{number}"} for number in range(16)]
    assert tokens.refreshes == 2


def test_a_base_address_with_a_path_refreshes_below_it(tokens):
    with FakeHttpServer(tokens) as server:
        HttpClient(f"{server.url}/ls", PERSONAL).request_json("GET", "/api/x")

    assert server.paths() == ["/ls/api/token/refresh/", "/ls/api/x"]


def test_the_headers_for_others_hold_the_access_token_and_never_the_personal_one(http, tokens):
    assert http.auth_headers() == {"Authorization": f"Bearer {tokens.valid}"}


def test_a_token_with_a_newline_around_it_still_works(server, tokens):
    HttpClient(server.url, f" {PERSONAL}\n").request_json("GET", "/x")


def test_no_token_reaches_the_log_or_an_error(server, tokens, caplog):
    caplog.set_level(logging.DEBUG)
    http = HttpClient(server.url, PERSONAL)
    http.request_json("GET", "/x")
    secrets = {PERSONAL, tokens.valid}
    with pytest.raises(Denied) as denied:
        HttpClient(server.url, "f" * 40).request_json("GET", "/x")

    printed = caplog.text + str(denied.value) + repr(http)
    assert not [secret for secret in (*secrets, "f" * 40) if secret in printed]
