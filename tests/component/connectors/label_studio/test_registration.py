"""Connecting outlasts a check that Label Studio cut short; tests/e2e has the real one."""

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.errors import Rejected
from connectors.label_studio.client import LabelStudioClient
from tests.fakes.clock import FakeClock
from tests.fakes.http_server import Asked, FakeHttpServer, Reply

BACKEND = "http://backend:9090"
UNHEALTHY = f"Can't connect to ML backend {BACKEND}, health check failed. Timed out"
SLOW_SETUP = (
    f"Successfully connected to {BACKEND} but it doesn't look like a valid ML backend. Reason: "
    "HTTPConnectionPool(host='backend', port=9090): Read timed out. (read timeout=3.0)."
)


class Site:
    """Stores backends and webhooks as Label Studio does, after `refusals` refused attempts.

    It runs each call that stores a backend `copies` times, as it may where SQLite is locked.
    """

    def __init__(self) -> None:
        self.refusals = 0
        self.refusal = UNHEALTHY
        self.attempts = 0
        self.copies = 1
        self.backends: list[dict[str, Any]] = []
        self.webhooks: list[dict[str, Any]] = []

    def __call__(self, asked: Asked) -> Reply:
        stored = self.backends if asked.path.startswith("/api/ml/") else self.webhooks
        if asked.method == "GET":
            return Reply(body=stored)
        if asked.method == "DELETE":
            number = int(asked.path.rstrip("/").rpartition("/")[2])
            stored[:] = [one for one in stored if one["id"] != number]
            return Reply(204)
        if stored is self.backends:
            self.attempts += 1
            if self.attempts <= self.refusals:
                errors = {"non_field_errors": [self.refusal]}
                return Reply(400, {"detail": "Validation error", "validation_errors": errors})
        for _ in range(self.copies if stored is self.backends else 1):
            stored.append({**asked.json, "id": len(stored) + 1})
        return Reply(201, stored[-1])


@pytest.fixture
def site() -> Site:
    return Site()


@pytest.fixture
def client(site: Site) -> Iterator[LabelStudioClient]:
    with FakeHttpServer(site) as server:
        yield LabelStudioClient(server.url, "f" * 40, pause=FakeClock().pause)


@pytest.mark.parametrize("refusal", [UNHEALTHY, SLOW_SETUP])
def test_a_backend_that_was_too_slow_for_a_check_is_offered_again(
    site: Site, client: LabelStudioClient, refusal: str
) -> None:
    site.refusals, site.refusal = 3, refusal

    done = client.registration.connect(1, BACKEND, "Autolabel")

    assert done == "backend created, webhook created"
    assert len(site.backends) == len(site.webhooks) == 1


def test_a_backend_that_stays_unhealthy_is_refused_and_leaves_no_webhook(
    site: Site, client: LabelStudioClient
) -> None:
    site.refusals = 100

    with pytest.raises(Rejected, match="health check failed"):
        client.registration.connect(1, BACKEND, "Autolabel")

    assert 1 < site.attempts < 10
    assert not site.backends
    assert not site.webhooks


def test_any_other_refusal_is_not_repeated(site: Site, client: LabelStudioClient) -> None:
    site.refusals, site.refusal = 1, "URL resolves to a reserved network address"

    with pytest.raises(Rejected, match="may not call"):
        client.registration.connect(1, BACKEND, "Autolabel")

    assert site.attempts == 1


def test_a_backend_that_label_studio_stored_twice_is_left_once(
    site: Site, client: LabelStudioClient
) -> None:
    site.copies = 2

    done = client.registration.connect(1, BACKEND, "Autolabel")

    assert done == "backend created, webhook created"
    assert [one["id"] for one in site.backends] == [1]
