"""The app behind its real server, over real sockets."""

import gc
import http.client
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from pydantic import SecretStr
from waitress.adjustments import Adjustments

from backend.domain.errors import BadInput, Reason, ReasonCode
from backend.settings import Settings
from backend.web.app import server
from backend.web.body_limits import BodyBudget
from backend.web.request_head import CheckedParser
from tests.fakes.backend import FakeBackend
from tests.fakes.domain import a_project
from tests.fakes.label_studio import FakeProjects

PREDICT = {"project": "2.1", "label_config": "<View/>", "tasks": [{"id": 1, "data": {}}]}
START = {"action": "START_TRAINING", "project": {"id": 2}}


class SlowBackend(FakeBackend):
    """Predicts only once it is let go."""

    def predict(self, project, label_config, tasks):
        self.entered.release()
        assert self.let_go.wait(240)
        return [[] for _ in tasks]


@pytest.fixture
def backend():
    project = a_project()
    slow = SlowBackend(label_studio=FakeProjects({project.id: project}))
    slow.entered, slow.let_go = threading.Semaphore(0), threading.Event()
    yield slow
    slow.let_go.set()


@pytest.fixture
def port(backend, tmp_path):
    listening = server(backend, Settings(data_dir=tmp_path, port=0))
    threading.Thread(target=run_until_closed, args=[listening], daemon=True).start()
    yield listening.port
    backend.let_go.set()
    listening.close()


def run_until_closed(listening):
    with suppress(OSError):  # its socket is closed below while it waits on it
        listening.run()


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60 if body is None else 240)
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {"Content-Type": "application/json"} if body else {})
    answer = connection.getresponse()
    return answer.status, answer.reason, answer.read()


def test_health_events_and_metrics_answer_while_twenty_clients_wait_for_predictions(port, backend):
    with ThreadPoolExecutor(20) as clients:
        waiting = [clients.submit(call, port, "POST", "/predict", PREDICT) for _ in range(20)]
        for _ in waiting:
            assert backend.entered.acquire(timeout=60)
        assert call(port, "GET", "/health")[0] == 200
        assert call(port, "GET", "/metrics")[0] == 200
        assert call(port, "POST", "/webhook", {"action": "PROJECT_UPDATED"})[0] == 200
        assert not any(answer.done() for answer in waiting)
        backend.let_go.set()
        assert {answer.result()[0] for answer in waiting} == {200}


def head(port, path, length, *lines):
    """Send the head of a POST and the first bytes of its body; returns the answer and the rest."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        text = "\r\n".join([f"POST {path} HTTP/1.1", *lines, f"Content-Length: {length}", "", ""])
        connection.sendall(text.encode() + b"x" * 1000)
        answer = b""
        with suppress(ConnectionResetError):
            while chunk := connection.recv(65536):
                answer += chunk
    return answer


@pytest.mark.parametrize(
    ("path", "length", "lines", "status"),
    [
        ("/nothing", 2_000_000, ["Host: localhost"], 413),
        ("/predict", 251_000_000, ["Host: localhost"], 413),
        ("/predict", 200_000_000, ["Host: evil.example"], 403),
        ("/webhook", 40_000_000, ["Host: localhost", "Origin: http://evil.example"], 403),
        ("/api/projects/2/jobs", 900_000, ["Host: localhost", "Content-Type: text/plain"], 415),
    ],
)
def test_a_body_is_refused_before_it_is_sent(port, backend, path, length, lines, status):
    answer = head(port, path, length, *lines)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.count(b"HTTP/1.1") == 1
    assert b"Connection: close" in answer
    assert backend.started == []


def test_a_body_without_credentials_is_refused_before_it_is_sent(backend, tmp_path):
    settings = Settings(
        data_dir=tmp_path, port=0, basic_auth_user="ann", basic_auth_password=SecretStr("sesame")
    )
    listening = server(backend, settings)
    threading.Thread(target=run_until_closed, args=[listening], daemon=True).start()
    answer = head(listening.port, "/predict", 200_000_000, "Host: localhost")
    listening.close()
    assert answer.startswith(b"HTTP/1.1 401 ")


def test_an_endless_body_in_chunks_is_refused_at_the_limit(port):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        start = "POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(start.encode())
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        with suppress(ConnectionError):
            for _ in range(40):
                connection.sendall(chunk)
        with suppress(ConnectionError):
            assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_bodies_of_all_connections_together_are_bounded():
    budget = BodyBudget(1000)
    settings = Settings(_env_file=None)
    adjustments = Adjustments()

    def parser():
        started = CheckedParser(adjustments, settings, budget)
        started.received(
            b"POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n"
        )
        return started

    first, second = parser(), parser()
    first.received(b"x" * 800)
    second.received(b"x" * 300)
    assert second.error.code == 503
    first.close()
    third = parser()
    third.received(b"x" * 900)
    assert (third.completed, third.error) == (True, None)
    del third
    gc.collect()
    assert budget.take(1000)


def test_a_refusal_reaches_label_studio_as_the_reason_phrase(port, backend):
    backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
    status, phrase, _ = call(port, "POST", "/webhook", START)
    assert (status, phrase) == (409, "class 'dog' has 3 of 5 images")


def test_the_server_does_not_name_its_software(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    assert connection.getresponse().getheader("Server") in {None, ""}


def test_a_port_that_is_taken_is_named_with_the_hint(port, tmp_path):
    with pytest.raises(BadInput, match=rf"cannot listen on 127.0.0.1:{port}.*AUTOLABEL_PORT"):
        server(FakeBackend(), Settings(data_dir=tmp_path, port=port))


def test_no_request_is_in_progress_once_the_server_is_closed(backend, tmp_path):
    before = set(threading.enumerate())
    listening = server(backend, Settings(data_dir=tmp_path, port=0))
    threading.Thread(target=run_until_closed, args=[listening], daemon=True).start()
    with ThreadPoolExecutor(2) as clients:
        asking = clients.submit(call, listening.port, "POST", "/predict", PREDICT)
        assert backend.entered.acquire(timeout=60)
        closing = clients.submit(listening.close)
        backend.let_go.set()
        closing.result(60)
        answering = {one.name for one in set(threading.enumerate()) - before}
        assert not [name for name in answering if name.startswith("waitress-")]
        with suppress(OSError, http.client.HTTPException):  # it may have lost its connection
            asking.result(60)
