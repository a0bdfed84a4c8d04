"""Refuse a request by its head, before its body is read.

waitress reads a whole body, to the disk where it is large, before Flask sees the request. The
parser here runs the same checks as Flask once the head is complete. If one fails, the body is not
read; Flask then sees a request without one and writes the refusal, and the connection is closed.
"""

import weakref
from collections.abc import Iterable
from typing import Any

from flask import Request
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer
from waitress.utilities import Error
from werkzeug.exceptions import HTTPException

from backend.settings import Settings
from backend.web import body_limits, proxy, security
from backend.web.body_limits import BodyBudget


class _TooBusy(Error):
    code = 503
    reason = "Too many requests with large bodies at once; try again later"


class CheckedParser(HTTPRequestParser):
    """Parses one request; reads no body of one that the checks refuse."""

    def __init__(self, adj: Adjustments, settings: Settings, budget: BodyBudget) -> None:
        super().__init__(adj)
        self._settings = settings
        self._budget = budget
        self._largest: int | None = None
        self._held: list[int] = []
        weakref.finalize(self, budget.give_back, self._held)

    def received(self, data: bytes) -> int:
        """Take bytes from the connection; returns how many were consumed."""
        before = self.body_bytes_received
        consumed: int = super().received(data)
        if self.error or not self.headers_finished or self.empty:
            return consumed
        if self._largest is None and self._is_refused():
            return self._refuse(len(data))
        grown = self.body_bytes_received - before
        if self.chunked and self.body_bytes_received > (self._largest or 0):
            self._set_headers({"CONTENT_LENGTH": str(self.body_bytes_received)})
            return self._refuse(len(data))
        if grown and not self._budget.take(grown):
            self.error = _TooBusy("")
            return self._refuse(len(data))
        self._held.append(grown)
        return consumed

    def close(self) -> None:
        super().close()
        held, self._held[:] = list(self._held), []
        self._budget.give_back(held)

    def _set_headers(self, changes: dict[str, str]) -> None:
        self.headers = {**self.headers, **changes}

    def _is_refused(self) -> bool:
        environ = _environ(self)
        proxy.apply(environ, self._settings.public_url)
        head = Request(environ)
        self._largest = body_limits.largest_body(head.path, self._settings)
        try:
            security.check_head(head, self._settings)
        except HTTPException:
            return True
        return False

    def _refuse(self, available: int) -> int:
        """Complete the request without its body; what is left of the connection is dropped."""
        if self.body_rcv is not None:
            self.body_rcv.getbuf().close()
        self.body_rcv = None
        self._set_headers({security.BODY_NOT_READ: "1", "CONNECTION": "close"})
        self.expect_continue = False
        self.connection_close = True
        self.completed = True
        return available


def check_heads(sockets: Iterable[object], settings: Settings) -> None:
    """Make the listening sockets of a waitress server check each head before the body."""
    budget = BodyBudget()

    def parser(adj: Adjustments) -> CheckedParser:
        return CheckedParser(adj, settings, budget)

    checked = type("CheckedChannel", (HTTPChannel,), {"parser_class": staticmethod(parser)})
    for socket in sockets:
        if isinstance(socket, BaseWSGIServer):
            socket.channel_class = checked


def _environ(parser: Any) -> dict[str, Any]:
    """Return the WSGI environment of a request without its body, as waitress would build it."""
    own = {"CONTENT_LENGTH", "CONTENT_TYPE"}
    headers = {
        name if name in own else f"HTTP_{name}": value for name, value in parser.headers.items()
    }
    return headers | {
        "REQUEST_METHOD": parser.command,
        "PATH_INFO": "/" + parser.path.lstrip("/"),
        "QUERY_STRING": parser.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
    }
