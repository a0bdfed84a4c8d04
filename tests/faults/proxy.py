"""A small HTTP proxy on loopback that breaks chosen requests.

The backend takes it for Label Studio. `arm` names the requests to break and how; everything else
passes through unchanged. While `denies` is set, every call is answered with 401. The proxy
forwards one request a connection, so that no fault is hidden by one that was opened before.
"""

import http.client
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"}


@dataclass(frozen=True)
class Request:
    """What the backend sent; `path` includes the query."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What goes back. `status` 0 resets the connection without an answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


RESET = Answer(0)
DENIED = Answer(401, b'{"detail": "Invalid token."}', {"Content-Type": "application/json"})
Forward = Callable[[], Answer]
Break = Callable[[Forward], Answer]
"""Given a way to forward the request, returns what the backend gets to see."""


@dataclass
class Armed:
    """A fault that waits for its requests; `struck` counts those that it met."""

    matches: Callable[[Request], bool]
    breaks: Break
    times: int
    struck: int = 0


class FaultProxy:
    """Listens on a free loopback port and forwards to `upstream` while used as a context."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self.denies = False
        self.errors: list[BaseException] = []
        """What went wrong in the proxy itself; a test requires that this is empty."""
        self._armed: Armed | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def arm(self, matches: Callable[[Request], bool], breaks: Break, times: int = 1) -> Armed:
        """Break the next `times` requests that match."""
        self._armed = Armed(matches, breaks, times)
        return self._armed

    @property
    def struck(self) -> int:
        """How many requests the armed fault met."""
        return self._armed.struck if self._armed else 0

    def disarm(self) -> None:
        self._armed = None

    def answer(self, request: Request) -> Answer:
        armed = self._met(request)
        if armed is None:
            return self.forward(request)
        try:
            return armed.breaks(lambda: self.forward(request))
        except Exception as exc:
            self.errors.append(exc)
            raise

    def forward(self, request: Request) -> Answer:
        """What Label Studio answers; a reset where it does not."""
        if self.denies:
            return DENIED
        connection = http.client.HTTPConnection(*self._upstream, timeout=120)
        try:
            connection.request(request.method, request.path, request.body, request.headers)
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return RESET
        finally:
            connection.close()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in HOP_BY_HOP}
        return Answer(response.status, body, kept)

    def _met(self, request: Request) -> Armed | None:
        with self._lock:
            armed = self._armed
            if armed is None or armed.struck >= armed.times or not armed.matches(request):
                return None
            armed.struck += 1
            return armed


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
            request = Request(self.command, self.path, headers, self.rfile.read(length))
            answer = proxy.answer(request)
            if answer.status == 0:
                self._reset()
            else:
                self._send(answer)

        def __getattr__(self, name: str) -> Callable[[], None]:
            if name.startswith("do_"):
                return self._handle
            raise AttributeError(name)

        def _send(self, answer: Answer) -> None:
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = True

        def _reset(self) -> None:
            """Close with RST instead of FIN, as a crashed server's kernel does."""
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Say nothing: a test prints its own table."""

    return Handler
