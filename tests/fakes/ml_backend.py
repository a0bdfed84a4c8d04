"""A backend that answers Label Studio as its contract wants, and remembers what it was asked."""

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Seen:
    path: str
    authorization: str | None
    body: Any


@dataclass
class FakeMLBackend:
    """Listens on a free loopback port while used as a context; `seen` grows with each call."""

    seen: list[Seen] = field(default_factory=list)

    def __enter__(self) -> Self:
        seen = self.seen

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(None)

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                self.answer(json.loads(self.rfile.read(length) or b"null"))

            def answer(self, body: Any) -> None:
                seen.append(Seen(self.path, self.headers.get("Authorization"), body))
                reply = json.dumps({"status": "UP", "model_version": "al-0001-aaaa"}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def events(self) -> list[Seen]:
        """The calls to the webhook."""
        return [call for call in self.seen if call.path.endswith("/webhook")]
