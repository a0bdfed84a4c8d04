"""A loopback HTTP server that answers what a test says, and remembers what it was asked."""

import json
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """`body` is sent as JSON unless it is bytes; `broken` closes the connection without a word."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False


Answer = Callable[[Asked], Reply]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128


class FakeHttpServer:
    """Listens on a free loopback port while used as a context; `asked` grows with each call.

    With `tls` it speaks https, though `url` says http.
    """

    def __init__(self, answer: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.tls = tls
        self.asked: list[Asked] = []

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        if self.tls:
            self._server.socket = self.tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def paths(self) -> list[str]:
        return [asked.path for asked in self.asked]


def in_turn(*replies: Reply) -> Answer:
    """Each reply once, the last one from then on."""
    left = list(replies)
    return lambda _: left.pop(0) if len(left) > 1 else left[0]


def _handler(fake: FakeHttpServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def reply(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            target = urlsplit(self.path)
            asked = Asked(
                self.command,
                target.path,
                dict(self.headers),
                self.rfile.read(length),
                dict(parse_qsl(target.query)),
            )
            fake.asked.append(asked)
            reply = fake.answer(asked)
            if reply.broken:
                self.close_connection = True
                return
            body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.reply()

        def do_POST(self) -> None:
            self.reply()

        def do_CONNECT(self) -> None:
            self.reply()

        def do_PATCH(self) -> None:
            self.reply()

        def do_DELETE(self) -> None:
            self.reply()

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return Handler
