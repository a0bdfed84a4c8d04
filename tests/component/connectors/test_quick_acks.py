"""What servers send is acknowledged at once."""

import socket
import ssl
from typing import Any

import httpcore
import httpx
import pytest

from connectors.quick_acks import QuickAcks, QuickTransport
from tests.fakes.http_server import FakeHttpServer, Reply

pytestmark = pytest.mark.skipif(not hasattr(socket, "TCP_QUICKACK"), reason="only Linux has it")


class Spy:
    """A socket, as far as it is asked; notes the options that are set."""

    def __init__(self, *, broken: bool = False) -> None:
        self.broken = broken
        self.notes: list[object] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        self.notes.append((level, option, value))
        if self.broken:
            raise OSError("bad file descriptor")


class SpiedStream(httpcore.NetworkStream):
    """Yields `parts`, and notes in the spy when it is read."""

    def __init__(self, spy: Spy, parts: list[bytes]) -> None:
        self.spy, self.parts = spy, parts

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.spy.notes.append("read")
        return self.parts.pop(0)

    def start_tls(self, ssl_context: ssl.SSLContext, *_: Any) -> httpcore.NetworkStream:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self

    def get_extra_info(self, info: str) -> Any:
        return self.spy if info == "socket" else None


ASKED = (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch):
    def connect(spy: Spy) -> httpcore.NetworkStream:
        stream = SpiedStream(spy, [b"status", b"headers", b"body"])
        monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", lambda *_: stream)
        return QuickAcks().connect_tcp("label-studio.test", 80)

    return connect


@pytest.mark.parametrize("over_tls", [False, True])
def test_each_part_is_asked_for_before_it_is_read(connected, over_tls):
    spy = Spy()
    stream = connected(spy)
    if over_tls:
        stream = stream.start_tls(ssl.create_default_context())
    assert [stream.read(100) for _ in range(3)] == [b"status", b"headers", b"body"]
    assert spy.notes == [ASKED, "read"] * 3


def test_a_broken_connection_is_told_by_reading_it(connected):
    assert connected(Spy(broken=True)).read(100) == b"status"


def test_requests_of_httpx_go_over_such_connections():
    context = ssl.create_default_context()
    with (
        FakeHttpServer(lambda asked: Reply(body={"a": 1})) as server,
        httpx.Client(transport=QuickTransport(context)) as client,
    ):
        response = client.get(server.url)
        stream = response.extensions["network_stream"]
    assert response.json() == {"a": 1}
    assert type(stream).__module__ == "connectors.quick_acks"
