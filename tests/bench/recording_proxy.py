"""A proxy before Label Studio that notes how long each request takes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import IPPROTO_TCP, TCP_QUICKACK
from urllib.parse import urlsplit

HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})


@dataclass(frozen=True, slots=True)
class Request:
    """One request; `status` is 599 where Label Studio broke the connection off."""

    name: str
    seconds: float
    status: int


class RecordingProxy:
    """Passes requests on to `target`, and keeps what they took."""

    def __init__(self, target: str) -> None:
        self.requests: list[Request] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(target, self.requests))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["RecordingProxy"]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()


def _handler(target: str, requests: list[Request]) -> type[BaseHTTPRequestHandler]:
    address = urlsplit(target).netloc
    connections = threading.local()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            name, started = f"{self.command} {urlsplit(self.path).path}", time.perf_counter()
            status, headers, content = self._asked(body)
            requests.append(Request(name, time.perf_counter() - started, status))
            self.send_response_only(status)
            for key, value in headers:
                if key.lower() not in HOP_BY_HOP:
                    self.send_header(key, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = pass_on  # noqa: N815 - as called

        def log_message(self, format: str, *args: object) -> None: ...

        def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            """One connection for each thread, which serves one client."""
            connection: HTTPConnection | None = getattr(connections, "one", None)
            if connection is None:
                connection = connections.one = HTTPConnection(address, timeout=600)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "connection"}
            try:
                connection.request(self.command, self.path, body, headers)
                connection.sock.setsockopt(IPPROTO_TCP, TCP_QUICKACK, 1)  # as connectors do
                answer = connection.getresponse()
                return answer.status, answer.getheaders(), answer.read()
            except OSError:
                connection.close()
                return 599, [], b""

    return Handler
