"""A web server that serves images well and badly, and remembers who asked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_Server"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.server.images.asked.append((self.path, dict(self.headers.items())))
        try:
            self.server.images.routes.get(path, answer(404))(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


Route = Callable[[Handler], None]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    images: "ImageServer"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may hang up on us; that is what some tests are about."""


@dataclass
class ImageServer:
    """`routes` by path; `asked` is every request as (path with query, headers)."""

    port: int
    ended: threading.Event
    routes: dict[str, Route] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def times_asked(self, path: str) -> int:
        return sum(asked.split("?")[0] == path for asked, _ in self.asked)


@contextmanager
def image_server() -> Iterator[ImageServer]:
    server = _Server(("127.0.0.1", 0), Handler)
    images = server.images = ImageServer(server.server_port, threading.Event())
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield images
    finally:
        images.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def answer(status: int, body: bytes = b"", **headers: str) -> Route:
    """Always the same; a header's `_` stands for `-`."""

    def route(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return route


def in_turn(*routes: Route) -> Route:
    """One answer after the other; the last one stays."""
    left = list(routes)

    def route(handler: Handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return route


def redirect(to: str) -> Route:
    return answer(303, Location=to)


def tagged(body: bytes, tag: str) -> Route:
    """An answer with an ETag, and 304 to those who have it."""

    def route(handler: Handler) -> None:
        same = handler.headers["If-None-Match"] == tag
        (answer(304, ETag=tag) if same else answer(200, body, ETag=tag))(handler)

    return route


def endless(handler: Handler) -> None:
    """A body that never stops, of no declared length."""
    _open_body(handler)
    while not handler.server.images.ended.is_set():
        handler.wfile.write(bytes(65536))


def dripping(handler: Handler) -> None:
    """A byte now and then, for ever."""
    _open_body(handler)
    while not handler.server.images.ended.wait(0.02):
        handler.wfile.write(b".")


def dripping_headers(handler: Handler) -> None:
    """Headers that never come to an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    while not handler.server.images.ended.wait(0.02):
        handler.wfile.write(b".")


def silent(handler: Handler) -> None:
    """Takes the request and says nothing."""
    handler.server.images.ended.wait(60)


def truncated(body: bytes) -> Route:
    """Promises one byte more than it sends."""

    def route(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 1))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return route


def _open_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
