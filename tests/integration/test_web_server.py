"""The app behind its real server, over real sockets."""

import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from backend.domain.errors import BadInput, Reason, ReasonCode
from backend.settings import Settings
from backend.web.app import server
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
    yield listening.effective_port
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


def test_a_refusal_reaches_label_studio_as_the_reason_phrase(port, backend):
    backend.reasons = (Reason(ReasonCode.TOO_FEW_IMAGES, "class 'dog' has 3 of 5 images"),)
    status, phrase, _ = call(port, "POST", "/webhook", START)
    assert (status, phrase) == (409, "class 'dog' has 3 of 5 images")


def test_the_server_does_not_tell_what_it_is(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health")
    assert connection.getresponse().getheader("Server") in {None, ""}


def test_a_port_that_is_taken_is_named_with_the_cure(port, tmp_path):
    with pytest.raises(BadInput, match=rf"cannot listen on 127.0.0.1:{port}.*AUTOLABEL_PORT"):
        server(FakeBackend(), Settings(data_dir=tmp_path, port=port))
