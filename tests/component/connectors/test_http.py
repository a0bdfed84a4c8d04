import threading
import time
from contextlib import suppress

import httpx
import pytest

from connectors.errors import Denied, Rejected, ResourceNotFound, Unreachable
from connectors.http import HttpClient
from connectors.http_errors import translated
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import FakeHttpServer, Reply, in_turn

LEGACY = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def clock():
    return FakeClock()


def client(server, clock, **options):
    options = {"api_key": LEGACY, "patience": 60, **options}
    return HttpClient(server.url, pause=clock.pause, clock=clock, **options)


# --- patience ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_get_waits_for_a_server_that_is_away(clock, status):
    answer = in_turn(Reply(status), Reply(status), Reply(status), Reply(body={"is": "back"}))
    with FakeHttpServer(answer) as server:
        assert client(server, clock).request_json("GET", "/api/version") == {"is": "back"}

    assert len(server.asked) == 4
    assert clock() > 0


def test_a_get_waits_out_connections_that_break(clock):
    with FakeHttpServer(in_turn(Reply(broken=True), Reply(body=[1]))) as server:
        assert client(server, clock).request_json("GET", "/") == [1]


def test_patience_ends_and_pauses_stay_short(clock):
    with (
        FakeHttpServer(in_turn(Reply(503))) as server,
        pytest.raises(Unreachable, match="503 to GET /api/version"),
    ):
        client(server, clock).request_json("GET", "/api/version")

    assert 55 < clock() <= 60
    assert max(clock.pauses) <= 2


@pytest.mark.parametrize(("patience", "attempts"), [(120, 2), (2, 1)])
def test_an_attempt_that_takes_its_whole_time_leaves_the_patience_of_a_job(
    clock, patience, attempts
):
    def answer(_):
        clock.now += 120
        return Reply(504) if clock.now < 200 else Reply(body={"is": "back"})

    with FakeHttpServer(answer) as server, suppress(Unreachable):
        asking = client(server, clock, patience=patience, timeout=120)
        assert asking.request_json("GET", "/api/tasks/") == {"is": "back"}
    assert len(server.asked) == attempts


def test_the_server_may_say_when_to_come_back(clock):
    with FakeHttpServer(in_turn(Reply(503, headers={"Retry-After": "7"}), Reply())) as server:
        client(server, clock).request_json("GET", "/")

    assert clock.pauses == [7]


def test_a_pause_may_give_up(clock):
    class Stopped(Exception):
        pass

    def stop(seconds):
        raise Stopped

    with FakeHttpServer(in_turn(Reply(503))) as server, pytest.raises(Stopped):
        HttpClient(server.url, patience=60, pause=stop).request_json("GET", "/")


def test_without_patience_the_first_answer_counts(clock):
    with FakeHttpServer(in_turn(Reply(503), Reply())) as server, pytest.raises(Unreachable):
        client(server, clock, patience=0).request_json("GET", "/")


def test_an_inner_error_is_tried_three_times_only(clock):
    with FakeHttpServer(in_turn(Reply(500))) as server, pytest.raises(Unreachable):
        client(server, clock).request_json("GET", "/")

    assert len(server.asked) == 3


def test_a_locked_database_is_waited_for_like_a_server_that_is_away(clock):
    locked = Reply(500, b"<!doctype html>", {"Content-Type": "text/html; charset=utf-8"})
    with FakeHttpServer(in_turn(*[locked] * 5, Reply(body={"ok": 1}))) as server:
        assert client(server, clock).request_json("GET", "/") == {"ok": 1}
    with (
        FakeHttpServer(in_turn(locked)) as server,
        pytest.raises(Unreachable) as error,
    ):
        client(server, clock, patience=0).request_json("GET", "/")
    assert "database may be locked" in error.value.hint


@pytest.mark.parametrize("reply", [Reply(502), Reply(503), Reply(500), Reply(broken=True)])
def test_a_post_that_may_have_arrived_is_not_repeated(clock, reply):
    with FakeHttpServer(in_turn(reply, Reply())) as server, pytest.raises(Unreachable):
        client(server, clock).request_json("POST", "/import", json=[1])

    assert len(server.asked) == 1


def test_a_post_that_is_known_to_be_safe_is_repeated(clock):
    with FakeHttpServer(in_turn(Reply(broken=True), Reply(body={"ok": 1}))) as server:
        answer = client(server, clock).request_json("POST", "/", json=[1], idempotent=True)

    assert answer == {"ok": 1}
    assert [asked.json for asked in server.asked] == [[1], [1]]


def test_a_post_waits_for_a_server_that_takes_no_connections(clock):
    with FakeHttpServer(in_turn(Reply())) as gone:
        url = gone.url
    with pytest.raises(Unreachable, match="ConnectError"):
        HttpClient(url, patience=60, pause=clock.pause, clock=clock).request_json("POST", "/")

    assert len(clock.pauses) > 10


# --- errors ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Rejected), (401, Denied), (403, Denied), (404, ResourceNotFound), (409, Rejected)],
)
def test_a_refusal_is_raised_at_once_with_the_words_of_label_studio(clock, status, error):
    body = {"detail": "no", "validation_errors": {"title": ["too short"]}}
    with (
        FakeHttpServer(in_turn(Reply(status, body))) as server,
        pytest.raises(error, match="too short"),
    ):
        client(server, clock).request_json("GET", "/api/projects/1/")

    assert len(server.asked) == 1


def test_an_answer_that_is_not_json_has_a_hint_about_the_address(clock):
    with (
        FakeHttpServer(in_turn(Reply(body=b"<html>welcome</html>"))) as server,
        pytest.raises(Unreachable, match="Is this the address of Label Studio"),
    ):
        client(server, clock).request_json("GET", "/api/version")


def test_an_empty_answer_is_none(clock):
    with FakeHttpServer(in_turn(Reply(204, b""))) as server:
        assert client(server, clock).request_json("DELETE", "/api/annotations/1/") is None


def test_a_body_that_json_cannot_hold_is_rejected(clock):
    with FakeHttpServer(in_turn(Reply())) as server, pytest.raises(Rejected, match="not JSON"):
        client(server, clock).request_json("POST", "/", json={"score": float("nan")})

    assert server.asked == []


@pytest.mark.parametrize("url", ["http://", "http://host:port/", "ftp://127.0.0.1/x"])
def test_an_address_that_is_none_is_rejected(url):
    with pytest.raises(Rejected):
        HttpClient("http://127.0.0.1:1").request_json("GET", url)


def test_circular_redirects_are_rejected(clock):
    with (
        FakeHttpServer(in_turn(Reply(302, headers={"Location": "/again"}))) as server,
        pytest.raises(Rejected, match="circles"),
    ):
        client(server, clock).request_json("GET", "/again")


def test_a_slow_answer_is_unreachable_and_says_so():
    released = threading.Event()

    def slow(asked):
        released.wait(60)
        return Reply()

    with (
        FakeHttpServer(slow) as server,
        HttpClient(server.url) as impatient,
        pytest.raises(Unreachable, match="in time"),
    ):
        try:
            impatient.request_json("GET", "/", timeout=0.05)
        finally:
            released.set()


def every(error):
    yield error
    for child in error.__subclasses__():
        yield from every(child)


FOREIGN = sorted({*every(httpx.HTTPError), *every(httpx.StreamError), httpx.InvalidURL}, key=str)


@pytest.mark.parametrize("foreign", FOREIGN, ids=lambda error: error.__name__)
def test_every_error_of_httpx_is_translated_and_kept_as_the_cause(foreign):
    request = httpx.Request("GET", "http://user:secret@host.test/path?signature=secret")
    special = {
        httpx.HTTPStatusError: lambda: foreign(
            "x", request=request, response=httpx.Response(418, request=request)
        ),
        httpx.StreamConsumed: foreign,
        httpx.ResponseNotRead: foreign,
        httpx.RequestNotRead: foreign,
        httpx.StreamClosed: foreign,
    }
    error = special.get(foreign, lambda: foreign("x"))()

    with (
        pytest.raises((Unreachable, Rejected)) as ours,
        translated("GET", request.url),
    ):
        raise error

    assert ours.value.__cause__ is error
    assert "secret" not in str(ours.value)


# --- tokens and hosts --------------------------------------------------------------------------


def test_a_legacy_token_goes_to_label_studio_only(clock):
    with FakeHttpServer(in_turn(Reply())) as other, FakeHttpServer(in_turn(Reply())) as server:
        http = client(server, clock)
        http.request_json("GET", "/data/upload/1/a.jpg")
        http.request_json("GET", f"{other.url}/a.jpg")

    assert server.asked[0].headers["Authorization"] == f"Token {LEGACY}"
    assert "Authorization" not in other.asked[0].headers


def test_a_redirect_to_another_host_does_not_take_the_token_along(clock):
    with FakeHttpServer(in_turn(Reply(body=["there"]))) as bucket:
        moved = Reply(303, headers={"Location": f"{bucket.url}/key?signature=abc"})
        with FakeHttpServer(in_turn(moved)) as server:
            assert client(server, clock).request_json("GET", "/moved") == ["there"]

    assert "Authorization" in server.asked[0].headers
    assert "Authorization" not in bucket.asked[0].headers


def test_a_redirected_post_is_refused_and_names_the_right_address(clock):
    with FakeHttpServer(in_turn(Reply())) as there:
        moved = Reply(301, headers={"Location": f"{there.url}/import"})
        with (
            FakeHttpServer(in_turn(moved)) as server,
            pytest.raises(Rejected, match="Set LABEL_STUDIO_URL") as refused,
        ):
            client(server, clock).request_json("POST", "/import", json=[1])

    assert there.asked == []
    assert there.url.removeprefix("http://") in str(refused.value)


def test_a_session_cookie_is_not_kept(clock):
    with FakeHttpServer(in_turn(Reply(headers={"Set-Cookie": "sessionid=abc"}))) as server:
        http = client(server, clock)
        http.request_json("GET", "/")
        http.request_json("GET", "/")

    assert "Cookie" not in server.asked[1].headers


@pytest.mark.parametrize(
    ("base", "asked", "full"),
    [
        ("http://h:8080", "/api/x", "http://h:8080/api/x"),
        ("http://h:8080/", "api/x", "http://h:8080/api/x"),
        ("http://h/ls", "/api/x", "http://h/ls/api/x"),
        ("http://h/ls/", "/api/x", "http://h/ls/api/x"),
        ("http://h/ls", "/ls/data/upload/a.jpg", "http://h/ls/data/upload/a.jpg"),
        ("http://h/ls", "https://other/a.jpg", "https://other/a.jpg"),
    ],
)
def test_paths_count_from_the_base_address(base, asked, full):
    assert HttpClient(base).url(asked) == full


@pytest.mark.parametrize(
    ("url", "ours"),
    [
        ("http://h/ls/api/tasks", True),
        ("http://h:80/ls/api", True),
        ("http://h/ls", True),
        ("http://h/lsx", False),
        ("http://h/other", False),
        ("http://h:81/ls/api", False),
        ("https://h/ls/api", False),
        ("http://h.evil.test/ls/", False),
        ("http://evil.test/?http://h/ls/", False),
    ],
)
def test_only_addresses_below_the_base_get_the_token(url, ours):
    assert HttpClient("http://h/ls", LEGACY).covers(url) is ours


def test_without_a_token_nothing_is_signed(clock):
    with FakeHttpServer(in_turn(Reply())) as server:
        http = client(server, clock, api_key="")
        http.request_json("GET", "/")

    assert "Authorization" not in server.asked[0].headers
    assert http.auth_headers() == {}


def test_a_connection_that_breaks_while_the_body_is_read_is_unreachable(clock):
    short = Reply(body=b"half", headers={"Content-Length": "100"})
    with FakeHttpServer(in_turn(short)) as server, pytest.raises(Unreachable):
        client(server, clock).request_json("GET", "/a.json")


def test_real_pauses_really_wait():
    with FakeHttpServer(in_turn(Reply(503), Reply())) as server:
        started = time.monotonic()
        HttpClient(server.url, patience=60).request_json("GET", "/")

    assert time.monotonic() - started >= 0.1
